"""The card processor: its protocol, and what may be believed of its replies."""
