"""What a stage is, what it is given, and how it decides whether to run."""
