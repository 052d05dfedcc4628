"""Who works on the rows: this process alone while they are few, worker processes beside it when many.

What comes out is the same, and in the same order, whoever did it: tasks do not depend on who works.
"""

from __future__ import annotations

import itertools
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing.connection import wait
from typing import Any, NamedTuple

from ftrun.data.examples.making import RowRenderer
from ftrun.data.pipeline.row_work import Batch, RowWork, Task
from ftrun.data.pipeline.spool import Spool
from ftrun.errors import ConfigError
from ftrun.experiment.model import Experiment
from ftrun.experiment.templates.plain import all_plain
from ftrun.processes import EndedError, WorkerProcess, worker_count

ALONE = 24  # tasks after which it pays to start processes, which takes them a second
AHEAD = 4  # results of each worker that may wait for an earlier one


class Done(NamedTuple):
    """What came of a task, and which file of the spool has its examples."""

    batch: Batch
    spool_file: int


class _Worker:
    """A worker process, and the task it is at."""

    def __init__(self, experiment: Experiment, written: bool, spool: Spool) -> None:
        self._spool_file = spool.new_file()
        descriptor = spool.files[self._spool_file].fileno()
        self._process = WorkerProcess((experiment, written), descriptor)
        self.connection, self.end = self._process.connection, self._process.end
        self._number = -1
        self._task: Task | None = None

    @property
    def is_busy(self) -> bool:
        """Return whether it has a task."""
        return self._number >= 0

    def give(self, number: int, task: Task) -> None:
        """Let it begin with a task; it has none."""
        self._number, self._task = number, task
        self._process.send(task)

    def take(self) -> tuple[int, Done | BaseException]:
        """Return number and result of its task, as soon as it is done."""
        number, self._number = self._number, -1
        try:
            answer = self._process.receive()
        except EndedError as error:
            if error.status != -signal.SIGVTALRM or self._task is None:
                raise
            return number, _KilledError(self._task)
        return number, answer if isinstance(answer, BaseException) else Done(answer, self._spool_file)


class _KilledError(Exception):
    """A worker was killed for what a template of this task takes."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task


class Crew:
    """Works on tasks and gives the results in their order. A context: on leaving it all processes end.

    `large`: there is much to do, so processes are started at once.
    """

    def __init__(
        self,
        experiment: Experiment,
        spool: Spool,
        *,
        renderer: RowRenderer | None = None,
        written: bool = False,
        large: bool = False,
    ) -> None:
        self._experiment, self._spool, self._large = experiment, spool, large
        self._renderer, self._written = renderer, written
        self._workers: list[_Worker] = []
        self._own: RowWork | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()
        self._workers = []

    def work(self, tasks: Iterable[Task | None]) -> Iterator[Done | None]:
        """Yield what came of each task, in order; None for None. What a task raises is raised in its turn."""
        rest = iter(tasks)
        count = worker_count() if self._renderer is None else 1  # a renderer that was given stays here
        alone = None if count < 2 else 0 if self._large else ALONE
        if self._renderer is None and not self._written and not all_plain(self._experiment):
            alone = 1  # here, each template is rendered by a call to another process
        yield from self._alone(itertools.islice(rest, alone))
        for task in rest:  # none is left if they were done alone
            yield from self._together(itertools.chain((task,), rest), count)

    def _alone(self, tasks: Iterable[Task | None]) -> Iterator[Done | None]:
        for task in tasks:
            yield None if task is None else Done(self._own_work().do(task), 0)

    def _own_work(self) -> RowWork:
        if self._own is None:  # loads a vocabulary
            spool = self._spool.files[0]
            self._own = RowWork(self._experiment, spool, renderer=self._renderer, written=self._written)
        return self._own

    def _together(self, tasks: Iterator[Task | None], count: int) -> Iterator[Done | None]:
        self._workers = [_Worker(self._experiment, self._written, self._spool) for _ in range(count)]
        given = shown = 0
        done: dict[int, Done | BaseException | None] = {}
        ready = deque[Any](itertools.islice(tasks, count))
        while ready or done or any(worker.is_busy for worker in self._workers):
            for worker in self._workers:
                while ready and not worker.is_busy and given < shown + AHEAD * count:
                    task = ready.popleft()
                    if task is None:
                        done[given] = None
                    else:
                        worker.give(given, task)
                    given += 1
            ready.extend(itertools.islice(tasks, count - len(ready)))  # so that no worker waits for them
            while shown in done:
                result = done.pop(shown)
                if isinstance(result, _KilledError):
                    raise self._cause(result.task)
                if isinstance(result, BaseException):
                    raise result
                yield result
                shown += 1
            done.update(self._take())

    def _take(self) -> Iterator[tuple[int, Done | BaseException]]:
        """Wait for a worker that is done, if any is at work, and yield the results that are there."""
        busy = {worker.connection.fileno(): worker for worker in self._workers if worker.is_busy}
        for descriptor in wait(list(busy)) if busy else ():
            assert isinstance(descriptor, int)
            number, result = busy[descriptor].take()
            if isinstance(result, _KilledError):
                self._workers.remove(busy[descriptor])
                busy[descriptor].end()
            yield number, result

    def _cause(self, task: Task) -> BaseException:
        """Return the error that names the template for which a worker was killed: here it is only called."""
        try:
            self._own_work().do(task)
        except Exception as error:
            return error
        message = "the templates take too long for the rows that they are for"
        return ConfigError(message, code="template_limit", file=task.name)
