"""What only the source can show."""
