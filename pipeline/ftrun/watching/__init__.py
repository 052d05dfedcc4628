"""Watching a running job: how often to look, through which failures, and when to stop it."""
