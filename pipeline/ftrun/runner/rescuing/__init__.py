"""Recording what tuned models answer while they still do: `ftrun rescue`."""
