"""Who may do what, and what reaches an interpreter."""
