"""Merchants, their clients, and the tokens that clients present."""
