"""Figures and sheets of pictures."""
