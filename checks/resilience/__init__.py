"""What goes wrong outside the service."""
