"""Asking candidates: what is asked, what it costs, many at once and exactly once, and scoring the answers."""
