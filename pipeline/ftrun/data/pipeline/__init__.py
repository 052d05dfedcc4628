"""The pass over all data: read, gather, divide, write, count and check."""
