"""Scores of anybody's samples against anybody's data: `guidebench evaluate`."""
