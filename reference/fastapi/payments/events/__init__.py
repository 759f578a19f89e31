"""What happened, told once it is certain: the outbox, and who may read it."""
