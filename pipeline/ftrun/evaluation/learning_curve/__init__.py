"""How a training went: its metrics, whether the model fits, and its checkpoints."""
