"""A worker process: it gets the descriptors of a connection and perhaps of a spool file, and does tasks.

It prints nothing; what goes wrong travels back over the connection. It ends when the other side is gone.
"""

from __future__ import annotations

import contextlib
import os
import sys
from multiprocessing.connection import Connection
from typing import Any

from ftrun import untrusted
from ftrun.processes import answer


def main() -> None:
    """Work on the tasks of a pass over the data where there is a spool file, else on a single one."""
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    untrusted.be_expendable()
    gone = (EOFError, BrokenPipeError, ConnectionResetError)
    with connection, contextlib.suppress(*gone):
        if len(sys.argv) > 2:
            _work_on_rows(connection, int(sys.argv[2]))
        function, arguments = connection.recv()
        connection.send(answer(function, *arguments))


def _work_on_rows(connection: Connection[Any, Any], spool_file: int) -> None:
    """Answer each task with a Batch, or with the exception it ended in, until the other side is gone."""
    from ftrun.data.pipeline.row_work import RowWork  # a single task need not load it

    with os.fdopen(spool_file, "r+b") as spool:
        experiment, written = connection.recv()
        work = RowWork(experiment, spool, written=written)
        while True:
            connection.send(answer(work.do, connection.recv()))
