"""What is worked on in processes beside this one while it goes on with something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ftrun.processes import WorkerProcess, worker_count

Result = TypeVar("Result")


class Beside:
    """Starts work in other processes. A context: on leaving it they all end."""

    def __init__(self) -> None:
        self._processes: list[WorkerProcess] = []

    def __enter__(self) -> Beside:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.end()
        self._processes = []

    def begin(self, function: Callable[..., Result], *arguments: object) -> Callable[[], Result]:
        """Begin `function(*arguments)`, all of which can be pickled; return what waits for its result.

        With one core it is called here, when its result is asked for.
        """
        if worker_count() < 2:
            return lambda: function(*arguments)
        process = WorkerProcess((function, arguments))
        self._processes.append(process)

        def result() -> Result:
            found = process.receive()
            if isinstance(found, BaseException):
                raise found
            answer: Result = found
            return answer

        return result
