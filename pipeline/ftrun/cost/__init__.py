"""Tokens, prices, consent and availability: what a run costs, whether it may, and until when it can run."""
