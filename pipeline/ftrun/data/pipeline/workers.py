"""Work on the rows: in this process while they are few, in worker processes when they are many.

The results are the same, and in the same order, in either case.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ftrun import untrusted
from ftrun.data.pipeline.row_work import Batch, FilePart, RowWork, Task
from ftrun.errors import ConfigError
from ftrun.experiment.model import Experiment
from ftrun.experiment.templates.plain import all_plain
from ftrun.processes import EndedError, worker_count
from ftrun.redaction import without_secrets

ALONE = 48  # portions after which it pays to start processes, which takes them a second
AHEAD = 3  # portions of each worker that are handed out and not yet taken
Result = TypeVar("Result")


class WorkerPool:
    """Processes that call functions for this one. A context: on leaving it they all end at once.

    `first(*arguments)` is called in each of them before anything else.
    """

    def __init__(self, count: int, first: Callable[..., object] | None = None, *arguments: object) -> None:
        others = multiprocessing.active_children()
        with _inherited_by_workers():
            self._pool = ProcessPoolExecutor(
                count, multiprocessing.get_context("spawn"), _begin, (first, arguments)
            )
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))  # Ctrl-C is for this process
            try:
                for _ in range(count):  # a process is started for each task while none is idle
                    self._pool.submit(os.getpid)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        self._processes = [one for one in multiprocessing.active_children() if one not in others]

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
        self._pool.shutdown(cancel_futures=True)

    def submit(self, function: Callable[..., Result], *arguments: object) -> Future[Result]:
        """Begin `function(*arguments)`, all of which can be pickled."""
        try:
            return self._pool.submit(function, *arguments)
        except BrokenProcessPool as error:
            raise self._ended() from error

    def result(self, future: Future[Result]) -> Result:
        """Wait for a result; EndedError if a process ended unexpectedly."""
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise self._ended() from error

    def _ended(self) -> EndedError:
        self._pool.shutdown()
        codes = [process.exitcode or 0 for process in self._processes]
        # the pool itself ends the others by SIGTERM
        return EndedError(next((code for code in codes if code not in (0, -signal.SIGTERM)), 0))


@contextlib.contextmanager
def _inherited_by_workers() -> Iterator[None]:
    """Let processes that are started in the block inherit no secrets, and import no file of the user's folder
    in a module's place.
    """
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update({**without_secrets(before), "PYTHONSAFEPATH": "1"})
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _begin(first: Callable[..., object] | None, arguments: tuple[object, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if first is not None:
        first(*arguments)


def _end_with_parent() -> None:
    """End this process when the one that started it has ended, however it ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def worked_on(
    experiment: Experiment,
    portions: Iterator[FilePart],
    *,
    written: bool = False,
    large: bool = False,
) -> Generator[tuple[FilePart, Batch | None]]:
    """Yield each portion and what came of its task, in order. What a task raises is raised in its turn.

    `large`: there is much to do, so processes are started at once. `written`: see RowWork.
    """
    count = worker_count()
    alone = None if count < 2 else 0 if large else ALONE
    if not written and not all_plain(experiment):
        alone = 1  # here, each template is rendered by a call to another process
    here = functools.cache(functools.partial(RowWork, experiment, written=written))  # loads a vocabulary
    for portion in itertools.islice(portions, alone):
        yield portion, here().do(portion.task) if portion.task else None
    for portion in portions:  # none is left if they were done here
        rest = itertools.chain((portion,), portions)
        with WorkerPool(count, _begin_row_work, experiment, written) as pool:
            yield from _together(pool, rest, AHEAD * count, here)


def _together(
    pool: WorkerPool, portions: Iterator[FilePart], ahead: int, here: Callable[[], RowWork]
) -> Iterator[tuple[FilePart, Batch | None]]:
    given: deque[tuple[FilePart, Future[Batch] | None]] = deque()
    try:
        for portion in portions:
            given.append((portion, pool.submit(_do, portion.task) if portion.task else None))
            if len(given) >= ahead:
                yield _oldest(pool, given)
        while given:
            yield _oldest(pool, given)
    except EndedError as error:
        if error.status != -signal.SIGVTALRM:
            raise
        left = [portion.task for portion, _ in given if portion.task]
        for task in left:  # here, where it is only called, the template's error names it
            here().do(task)
        message = "the templates take too long for the rows that they are for"
        raise ConfigError(message, code="template_limit", file=left[0].name) from error


def _oldest(
    pool: WorkerPool, given: deque[tuple[FilePart, Future[Batch] | None]]
) -> tuple[FilePart, Batch | None]:
    portion, future = given[0]
    batch = None if future is None else pool.result(future)
    given.popleft()
    return portion, batch


_row_work: Callable[[], RowWork]


def _begin_row_work(experiment: Experiment, written: bool) -> None:
    """Let this process work on rows; it makes what it needs for the first task, whose error can be raised."""
    global _row_work
    untrusted.be_expendable()
    _row_work = functools.cache(functools.partial(RowWork, experiment, written=written))


def _do(task: Task) -> Batch:
    return _row_work().do(task)
