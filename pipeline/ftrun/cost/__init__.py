"""Tokens, prices and availability: what a run costs, and until when it can run."""
