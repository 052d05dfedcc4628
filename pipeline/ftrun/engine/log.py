"""Write to the log, which is stderr. Where that is a file on a full disk, a line is lost and nothing else."""

from __future__ import annotations

import contextlib
import sys
import traceback


def log(text: str) -> None:
    """Write a line."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def log_error(error: BaseException) -> None:
    """Write an error with where it arose."""
    log("".join(traceback.format_exception(error)).rstrip("\n"))
