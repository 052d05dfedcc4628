"""Scorers: one answer and one sample in, a score out; and the metrics that scores add up to.

For the evaluation and for the engine's graders. Knows neither models, files nor experiments.
"""
