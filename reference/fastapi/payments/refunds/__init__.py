"""Captured money that goes back to the card."""
