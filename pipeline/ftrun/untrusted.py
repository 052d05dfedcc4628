"""Runs what other people wrote (templates, conditions, patterns, queries) in a process that can be killed.

A process can't stop everything that runs in it: `10 ** 10 ** 8` holds the interpreter until it is done. So
such calls are made in a process of their own, or in a worker that is one already. A timer of the processor's
time raises CapError in it, which knows the line; if the code never gets to handle it, the system soon kills
the process. Memory is capped where the system can do it (not on macOS).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ftrun.processes import EndedError, WorkerProcess, answer

SECONDS = 3.0  # of the processor: a process that was stopped, or waits, has taken none
CREDIT = 0.02  # seconds that each call adds to what is left, so that slow calls can't add up without end
GRACE = 0.5  # seconds until a process that did not hear its timer is killed
AGAIN = 0.25  # seconds after which the timer is repeated: the code may have caught the error
MEMORY = 500_000_000  # bytes beyond those that the process has before
MEASURED = 64  # calls after which a process looks again how much memory it has
MEMORY_USE = Path("/proc/self/statm")


class CapError(Exception):
    """A call takes more time or memory than it may; the message says which."""


class CallCaps:
    """What calls may take; a context around each of them, in a process that is expendable."""

    def __init__(self, seconds: float, credit: float = CREDIT) -> None:
        self._seconds = self._left = seconds
        self._credit = credit
        self._calls = 0
        self._over = False
        self._memory = resource.RLIM_INFINITY
        self._hard = resource.getrlimit(resource.RLIMIT_AS)[1]

    def __enter__(self) -> None:
        global _within
        if self._calls % MEASURED == 0:
            self._memory = _memory_limit(self._hard)
        self._calls += 1
        resource.setrlimit(resource.RLIMIT_AS, (self._memory, self._hard))
        signal.setitimer(signal.ITIMER_VIRTUAL, self._left + GRACE)
        _within = self
        signal.setitimer(signal.ITIMER_PROF, self._left, AGAIN)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        global _within
        _within = None
        rest, _again = signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (self._hard, self._hard))
        self._left = min(self._seconds, rest + self._credit)
        over, self._over = self._over, False
        if isinstance(error, MemoryError):
            raise CapError(_too_large()) from None
        if over and error is None:  # the code caught it
            self.stop()

    def stop(self) -> None:
        """Raise CapError: time is up."""
        self._over = _within is self
        raise CapError(_too_long(self._seconds))


_within: CallCaps | None = None
_expendable = False


def be_expendable() -> None:
    """Allow calls in this process from now on; it may be killed for them."""
    global _expendable
    _expendable = True
    signal.signal(signal.SIGPROF, _time_is_up)
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)


def _time_is_up(*_: object) -> None:
    if _within is not None:
        _within.stop()


def _too_long(seconds: float) -> str:
    return f"it takes longer than {seconds:.3g} seconds"


def _too_large() -> str:
    return f"it takes more than {MEMORY:,} bytes of memory"


def _memory_limit(hard: int) -> int:
    """Return how much memory the process may have; no limit on systems that don't report its size."""
    if not MEMORY_USE.exists():
        return hard
    limit = int(MEMORY_USE.read_text().split()[0]) * resource.getpagesize() + MEMORY
    return limit if hard == resource.RLIM_INFINITY else min(limit, hard)


class CappedProcess:
    """A process that calls are made in, started when the first is made and again after one that killed it.

    `patience`: seconds to wait for the answer to a call, whatever it does; None: as long as it takes.
    """

    def __init__(
        self, seconds: float = SECONDS, patience: float | None = None, credit: float = CREDIT
    ) -> None:
        self._seconds, self._patience, self._credit = seconds, patience, credit
        self._process: WorkerProcess | None = None
        self._there: set[int] = set()  # which objects it has

    def call(self, number: int, made: tuple[Any, ...], name: str, arguments: tuple[Any, ...]) -> Any:
        """Call the method `name` of the object `number`, which is made first where it isn't there."""
        if self._process is None:
            self._process = WorkerProcess(__name__, (self._seconds, self._credit))
        try:
            how = () if number in self._there else made
            self._process.send((_folder(), number, how, name, arguments))
            self._there.add(number)
            if not self._process.connection.poll(self._patience):
                raise CapError(f"there was no answer after {self._patience:g} seconds")
            found = self._process.receive()
        except EndedError as error:
            self.end()
            late = error.status == -signal.SIGVTALRM
            raise CapError(_too_long(self._seconds) if late else _too_large()) from None
        except BaseException:  # what it answers would be taken for the answer to the next call
            self.end()
            raise
        if isinstance(found, BaseException):
            self._there.discard(number)  # it may not have been made
            raise found
        return found

    def end(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        self._there.clear()
        if process is not None:
            process.end()


def _folder() -> str:
    """Return the current folder, by which messages name files; empty if it is gone."""
    with contextlib.suppress(OSError):
        return os.getcwd()  # noqa: PTH109 - for each call
    return ""


shared = CappedProcess()
atexit.register(lambda: shared.end())


class Capped:
    """An object, made by `factory(*arguments)`, whose methods are called within caps.

    All of it travels between processes. CapError where a call takes too much.
    """

    _count = 0

    def __init__(
        self, factory: Callable[..., Any], *arguments: Any, process: CappedProcess | None = None
    ) -> None:
        Capped._count += 1
        self._number, self._process = Capped._count, process
        self._made = (factory, arguments)
        self._local: tuple[Any, CallCaps] | None = None

    def call(self, name: str, *arguments: Any) -> Any:
        """Return what the method `name` gives; what it raises is raised here."""
        if not _expendable or self._process is not None:
            return (self._process or shared).call(self._number, self._made, name, arguments)
        if self._local is None:
            factory, given = self._made
            self._local = (factory(*given), CallCaps(SECONDS))
        found, budget = self._local
        with budget:
            return getattr(found, name)(*arguments)


def main() -> None:
    """Make the calls that the other process asks for, until that ends."""
    be_expendable()
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    with connection, contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        calls = _Calls(*connection.recv())
        while True:
            connection.send(answer(calls.make, *connection.recv()))


class _Calls:
    """The objects of a capped process, and what is left for each of them."""

    def __init__(self, seconds: float, credit: float) -> None:
        self._seconds, self._credit = seconds, credit
        self._objects: dict[int, tuple[Any, CallCaps]] = {}

    def make(
        self, folder: str, number: int, made: tuple[Any, ...], name: str, arguments: tuple[Any, ...]
    ) -> Any:
        """Make a call as from `folder`, and the object before it if `made` says how."""
        if folder and folder != _folder():
            os.chdir(folder)
        if made:
            factory, given = made
            budget = CallCaps(self._seconds, self._credit)
            with budget:
                self._objects[number] = (factory(*given), budget)
        found, budget = self._objects[number]
        with budget:
            return getattr(found, name)(*arguments)
