"""What scores mean: gates, the decision, and the sentences that say why."""
