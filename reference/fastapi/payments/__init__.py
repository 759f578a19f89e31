"""A payment service: accounts, transfers and card payments on a double-entry ledger."""
