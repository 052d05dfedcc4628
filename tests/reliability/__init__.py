"""Runs that are killed, robbed of answers and starved, against a provider that counts what it commits."""
