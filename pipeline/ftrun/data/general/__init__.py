"""The general-ability set that ships, and the general rows that `data.replay` mixes in: see README.md."""
