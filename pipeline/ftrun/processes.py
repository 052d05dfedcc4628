"""Starts a process of our own and exchanges values with it; the module that it runs decides what it does."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

from ftrun.errors import FtrunError
from ftrun.redaction import without_secrets

START = f"import sys; sys.path.append({str(Path(__file__).parents[1])!r}); "
MOST_WORKERS = 8  # one process can't keep more of them busy


class WorkerProcess:
    """A process that runs `main` of `module`, to which `first` is sent at once."""

    def __init__(self, module: str, first: Any) -> None:
        self.connection, theirs = Pipe()
        code = f"{START}from {module} import main; main()"
        with theirs:
            # -P: no file of the user's folder is imported in a module's place. In a session of its own Ctrl-C
            # does not reach it: we end it
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", code, str(theirs.fileno())],
                env=without_secrets(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
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
            raise EndedError(self._process.wait()) from error


class EndedError(FtrunError):
    """A process of ours ended unexpectedly; `status` is negative for a signal."""

    def __init__(self, status: int) -> None:
        super().__init__(
            f"a process that read the data ended unexpectedly (status {status})",
            code="worker_ended",
            hint="Perhaps memory ran out: close other programs and run it again.",
        )
        self.status = status


def answer(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a call gives, or the exception that it ends in, in a form that can be pickled."""
    try:
        return function(*arguments)
    except Exception as error:  # of any kind: the process that asked must get it
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        except Exception:  # an exception that can't be pickled is sent as text
            return RuntimeError("".join(traceback.format_exception(error)))
        error.add_note(traceback.format_exc())
        return error


def worker_count() -> int:
    """Return how many processes may work at once: one for each core that we may use, within reason."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_WORKERS)
