"""Evaluation: collect, judge, cache and score answers, read metrics, and judge the fit.

Asking a model is injected: nothing here knows a server. Imports only the experiment's dataclasses.
"""
