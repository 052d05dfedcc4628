"""Templates and conditions: rendered in a sandbox, with errors that name their place."""
