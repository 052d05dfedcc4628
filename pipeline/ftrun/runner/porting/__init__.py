"""Training an experiment on another target, with proof of what the new model is worth: `ftrun port`."""
