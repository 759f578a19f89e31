"""The bank: its protocol, and what may be believed of what it says."""
