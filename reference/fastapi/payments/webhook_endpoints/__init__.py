"""Merchants' own servers, which are told of events."""
