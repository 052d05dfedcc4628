"""The command line. One command = one module of the same name; click lives here and nowhere else."""

import gc

gc.set_threshold(50_000)  # loading modules makes no cycles; to look for them took 5 % of a start

from ftrun.cli.main import main  # noqa: E402

__all__ = ["main"]
