"""Training loops that can be killed at any moment and continue to the same weights."""
