"""Make calls to a server that loses or breaks answers: what may succeed later is tried again, with growing
pauses, beyond what the SDK tries.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from ftrun.concurrency import StoppedError
from ftrun.errors import FtrunError
from ftrun.targets import TRANSIENT, ServiceError

TRIES = 12  # of a call: with 30 % of all answers broken, one in two millions fails
FIRST_TRIES = 3  # of the first call, where the server can't be reached at all
MOST_IN_VAIN = 24  # calls that fail in a row, each after all its tries, until everything is given up
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 15.0  # seconds
LONGEST_ASKED = 120.0  # seconds that a server may ask to wait
MOST_LISTED = 100_000  # jobs or files of an account
Found = TypeVar("Found")


class Identified(Protocol):
    """What a server lists."""

    @property
    def id(self) -> str:
        """Return its id."""
        ...


Listed = TypeVar("Listed", bound=Identified)


class Patience:
    """Makes calls to a server that may fail for a while. `trying` counts those that are being tried again."""

    def __init__(self) -> None:
        self.trying = 0
        self._stopped = threading.Event()
        self._created = self._answered = time.monotonic()
        self._in_vain = 0  # calls that were given up since one was answered

    def stop(self) -> None:
        """Let no call begin or be tried again: they end with a StoppedError."""
        self._stopped.set()

    def renewed(self) -> Patience:
        """Return one that nobody has stopped."""
        return Patience() if self._stopped.is_set() else self

    def call(self, make: Callable[[], Found]) -> Found:
        """Return what a call returns, tried again as long as that can help; its last error otherwise.

        OutOfReachError if the server has answered no call at all meanwhile, or if call after call fails.
        """
        begun, tries = time.monotonic(), 0
        try:
            while True:
                if self._stopped.is_set():
                    raise StoppedError
                try:
                    found = make()
                except ServiceError as error:
                    if error.code not in TRANSIENT:
                        raise
                    tries += 1
                    self.trying += tries == 1
                    if tries == TRIES or (tries == FIRST_TRIES and self._never(error)):
                        self._give_up(error, begun)
                    self._stopped.wait(_pause(tries, error.retry_after))
                else:
                    self._answered, self._in_vain = time.monotonic(), 0
                    return found
        finally:
            self.trying -= tries > 0

    def _never(self, error: ServiceError) -> bool:
        """Return whether nothing has been reached at all: a wrong address, or no network."""
        return error.code == "unreachable" and self._answered == self._created

    def _give_up(self, error: ServiceError, begun: float) -> None:
        self._in_vain += 1
        silent = error.code == "unreachable" and self._answered < begun
        if silent or self._in_vain >= MOST_IN_VAIN:
            raise OutOfReachError(error) from error
        raise error

    def every(self, of: Callable[[str | None], Iterable[Listed]]) -> list[Listed]:
        """Return each entry of a list once; after a failure the rest of it, not all, is asked for again.

        `of` returns what follows the entry of an id, None: everything.
        """
        found: dict[str, Listed] = {}

        def read() -> None:
            while True:
                before = len(found)
                try:
                    for one in of(next(reversed(found), None)):
                        found.setdefault(one.id, one)
                        self._answered = time.monotonic()
                except ServiceError as error:
                    if error.code not in TRANSIENT or len(found) == before:
                        raise
                    if len(found) > MOST_LISTED:
                        raise EndlessListError(len(found)) from error
                else:
                    return

        self.call(read)
        return list(found.values())


def _pause(tries: int, asked: float | None) -> float:
    own = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (tries - 1))
    return max(own, min(asked or 0.0, LONGEST_ASKED))


class EndlessListError(FtrunError):
    """The server's list has no end."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the server's list has no end: more than {size:,} entries came",
            code="unreadable_answer",
            hint="Name the jobs to import instead of --all, or ask whoever runs the server.",
        )


class OutOfReachError(FtrunError):
    """The server no longer answers, however often it is asked."""

    def __init__(self, last: ServiceError) -> None:
        super().__init__(
            f"the server stopped answering ({last})",
            code="unreachable",
            hint="What was imported is kept. Run the same command when the server is back to resume.",
        )
