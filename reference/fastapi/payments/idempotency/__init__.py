"""A request that carries a key takes effect once, and is answered the same ever after."""
