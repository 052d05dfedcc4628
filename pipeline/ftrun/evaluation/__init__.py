"""What is made of answers and metrics: judgements, the answer cache, scores, the fit, the table.

Asking a model is injected: nothing here knows a server. Imports only the experiment's dataclasses.
"""
