"""The engine's page in the browser: its files, and the one-time codes that open it."""
