"""What texts are: their words, JSON in them, refusals, loops. Every scorer may use it."""
