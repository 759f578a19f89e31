"""Who did what: written in the transaction that does it, and never changed."""
