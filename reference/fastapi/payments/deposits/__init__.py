"""Money that the platform's administrator pays into an account."""
