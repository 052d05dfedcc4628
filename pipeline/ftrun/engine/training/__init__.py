"""Training open-weight models: examples, loop, loss, adapters, checkpoints. Needs the extra `local`."""
