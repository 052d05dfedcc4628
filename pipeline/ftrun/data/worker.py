"""Owns a worker process: it gets the descriptors of a connection and a spool file, and works on tasks.

It prints nothing; what goes wrong travels back over the connection. It ends when the other side is gone.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any

from ftrun.data.rowwork import RowWork, Task


def main() -> None:
    """Answer each task with a Batch, or with the exception it ended in."""
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    with connection, os.fdopen(int(sys.argv[2]), "r+b") as spool:
        try:
            experiment, written = connection.recv()
            work = RowWork(experiment, spool, written=written)
            while True:
                connection.send(_answer(work, connection.recv()))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _answer(work: RowWork, task: Task) -> Any:
    try:
        return work.do(task)
    except Exception as error:  # whatever it is, the process that asked must hear of it
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        except Exception:  # an exception that can't travel: its words do
            return RuntimeError("".join(traceback.format_exception(error)))
        error.add_note(traceback.format_exc())
        return error
