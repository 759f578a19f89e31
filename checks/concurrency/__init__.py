"""Requests that come at once."""
