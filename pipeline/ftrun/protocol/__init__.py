"""The data of the fine-tuning API, for runner and engine: roles, rows of each method, limits, defaults."""
