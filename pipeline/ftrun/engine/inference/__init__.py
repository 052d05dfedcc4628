"""Answering with base and tuned models."""
