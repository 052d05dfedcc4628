"""Reading what the endpoints that generate text have in common, and asking for several answers at once."""
