"""What a candidate is given: exercises, the flaw bank they draw from, and the kit builder."""
