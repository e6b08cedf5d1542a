"""The papers' claims, and how their verdicts are reached."""
