"""Quotes: conversions between a merchant's accounts, at a price that holds for a while."""
