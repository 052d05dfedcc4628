"""The command line. One command = one module of the same name; click lives here and nowhere else."""

from ftrun.cli.main import main

__all__ = ["main"]
