"""Porting: training an experiment on another target, and proving what the new model is worth: `ftrun port`."""
