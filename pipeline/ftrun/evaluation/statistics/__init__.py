"""Estimates, intervals and comparisons, from what scorers found."""
