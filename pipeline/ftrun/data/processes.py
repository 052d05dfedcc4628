"""Owns starting a process of our own, and the connection to it. What it does there is worker.py's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

from ftrun.errors import FtrunError
from ftrun.secrecy import without_secrets

START = (
    f"import sys; sys.path.append({str(Path(__file__).parents[2])!r}); "
    "from ftrun.data.worker import main; main()"
)
MOST_WORKERS = 8  # who hands out and collects can't keep more of them busy


class WorkerProcess:
    """A worker process: `first` is sent to it at once, and it inherits the descriptors."""

    def __init__(self, first: Any, *descriptors: int) -> None:
        self.connection, theirs = Pipe()
        inherited = (theirs.fileno(), *descriptors)
        with theirs:
            # -P: no file of the user's folder is imported in a module's place. In a session of its own Ctrl-C
            # does not reach it: we end it
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", START, *map(str, inherited)],
                env=without_secrets(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=inherited,
                start_new_session=True,
            )
        self.send(first)

    def send(self, value: Any) -> None:
        """Send it a value; FtrunError if it has ended."""
        self._talk(self.connection.send, value)

    def receive(self) -> Any:
        """Return the next value from it, which may be an exception; FtrunError if it has ended."""
        return self._talk(self.connection.recv)

    def end(self) -> None:
        """End it at once."""
        self.connection.close()
        self._process.kill()
        self._process.wait()

    def _talk(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (EOFError, OSError) as error:
            status = self._process.wait()
            raise FtrunError(
                f"a process that read the data ended unexpectedly (status {status})",
                code="worker_ended",
                hint="Perhaps memory ran out: close other programs and run it again.",
            ) from error


def worker_count() -> int:
    """Return how many processes may work at once: one for each core that we may use, within reason."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_WORKERS)
