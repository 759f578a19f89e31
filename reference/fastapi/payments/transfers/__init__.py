"""Movements between accounts, and their reversal."""
