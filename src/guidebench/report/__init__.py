"""Findings, figures, picture sheets and pages, from result tables and pictures only."""
