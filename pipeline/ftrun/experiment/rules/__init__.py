"""The rules of an experiment file that a JSON Schema can't express."""
