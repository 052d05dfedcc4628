"""Scorers and their metrics."""
