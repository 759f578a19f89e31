"""Accounts of merchants: names, versions, balances."""
