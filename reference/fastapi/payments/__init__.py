"""A payment service: accounts, transfers and card payments on a double-entry ledger."""

import gc

# Imports make what lives for ever: looking for garbage in it takes a fifth of the start.
gc.set_threshold(50_000, 20, 50)
