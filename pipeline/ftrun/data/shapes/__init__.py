"""Rows in other shapes than the fine-tuning API's, and how they become its rows (`shape` of a source)."""
