"""Double entry: transactions, entries and the balances that they add up to."""
