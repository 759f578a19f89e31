"""The rules by which the service and the model are driven side by side, a concept each."""
