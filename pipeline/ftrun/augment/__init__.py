"""More training rows: a model is asked for them, a person approves them, and only then they are data.

Asking is injected: nothing here knows a server. Importing this costs nothing.
"""
