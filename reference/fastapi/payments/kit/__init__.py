"""What the business concepts share; knows none of them."""
