"""Card payments: authorise, capture, void."""
