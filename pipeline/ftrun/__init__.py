"""ftrun: a declarative, exactly-once pipeline runner for fine-tuning chat models."""

__version__ = "0.1.0"
