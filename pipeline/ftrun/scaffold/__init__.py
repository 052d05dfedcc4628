"""`ftrun init`: look at a data file, propose an experiment, draft it."""
