"""More training rows: a model proposes them, a person approves them, and only then do they become data.

How a model is asked is injected: nothing here knows a server. Importing this costs nothing.
"""
