"""Chat with base models and tuned models."""
