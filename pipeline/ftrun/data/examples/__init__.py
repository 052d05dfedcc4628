"""From a row to a training example."""
