"""Schedules, conversions between parameterisations, and samplers."""
