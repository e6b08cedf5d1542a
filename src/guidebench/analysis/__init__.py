"""Sensitivity along the forward process, and guided samplers against an exact truth."""
