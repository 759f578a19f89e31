"""Bad input at its edges, for every operation of the contract's document."""
