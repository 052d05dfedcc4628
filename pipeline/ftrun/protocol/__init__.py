"""The data of the fine-tuning API, for runner and engine: rows of each method, roles, defaults, limits."""
