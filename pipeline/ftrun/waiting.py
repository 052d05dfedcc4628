"""Report waits, and put a bound on calls that may never end by themselves.

Whatever takes longer than two seconds is reported with what is waited for and since when, and again less and
less often. A reporter decides where that is printed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Any, TypeVar

from ftrun.text import visible

Result = TypeVar("Result")

PAUSES = (2.0, 8.0, 20.0, 30.0, 60.0, 180.0)  # seconds: reported after 2, 10, 30 and 60 s, 2 and 5 minutes
LONGEST = 600.0  # seconds: every ten minutes after that
LAST_WORDS = 0.5  # seconds that a call has to notice that it was cut


class OverdueError(Exception):
    """A call took longer than allowed."""


def _to_stderr(text: str) -> None:
    print(f"  {visible(text)}", file=sys.stderr, flush=True)


_say: list[Callable[[str], None]] = [_to_stderr]
_here = threading.local()  # `unreported`: whether what this thread waits for is reported elsewhere


def report_waits_to(say: Callable[[str], None] | None) -> None:
    """Pass messages about waits to `say` from now on; None: print them to stderr."""
    _say[0] = say or _to_stderr


def say(text: str) -> None:
    """Report something about a wait."""
    if not _is_unreported():
        _say[0](text)


@contextmanager
def unreported() -> Iterator[None]:
    """Report no wait of this thread while the block runs: whoever started it reports one for many."""
    _here.unreported = True
    try:
        yield
    finally:
        _here.unreported = False


def _is_unreported() -> bool:
    return getattr(_here, "unreported", False)


@contextmanager
def waiting(what: str | Callable[[], str]) -> Iterator[None]:
    """Report what is waited for while the block runs; `what` is a noun, such as `the lock of toy`, or
    returns what it is by then.
    """
    if _is_unreported():
        yield
        return
    over = threading.Event()
    threading.Thread(target=_say_until, args=(over, what), name="waits", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _say_until(over: threading.Event, noun: str | Callable[[], str]) -> None:
    since = time.strftime("%H:%M:%S")
    for pause in chain(PAUSES, repeat(LONGEST)):
        if over.wait(pause):
            return
        what = noun if isinstance(noun, str) else noun()
        if over.is_set():  # it took its time to say so
            return
        say(f"waiting for {what}, since {since}")


def bounded(
    call: Callable[[], Result], seconds: float, *, cut: Callable[[], None], cut_ends: bool = False
) -> Result:
    """Return what `call` returns or raise what it raises; OverdueError after `seconds`.

    The call runs in its own thread, so that neither a name that nobody resolves nor an answer that trickles
    in can hold up a run, and Ctrl-C works at once. If it is overdue, `cut` is called to end it, and it is
    left to itself. Where `cut_ends` it, a thread that works for another one, which Ctrl-C reaches, makes the
    call itself: a further thread for each of many calls takes a fifth of their time.
    """
    if seconds <= 0:
        raise OverdueError
    if cut_ends and _is_unreported():
        return _watched(call, seconds, cut)
    done, found = threading.Event(), list[Any]()

    def work() -> None:
        try:
            found.extend((call(), None))
        except BaseException as error:  # raised in the caller's thread below
            found.extend((None, error))
        done.set()

    threading.Thread(target=work, name="call", daemon=True).start()
    try:
        if not done.wait(min(seconds, threading.TIMEOUT_MAX)):
            raise OverdueError
    finally:
        if not done.is_set():
            cut()
            done.wait(LAST_WORDS)
    result, error = found
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _watched(call: Callable[[], Result], seconds: float, cut: Callable[[], None]) -> Result:
    """Return what `call` returns or raise what it raises, in this thread; OverdueError if it was cut."""
    key = object()
    _watch.add(key, time.monotonic() + seconds, cut)
    try:
        result = call()
    except BaseException:
        if not _watch.remove(key):
            raise OverdueError from None
        raise
    if not _watch.remove(key):
        raise OverdueError
    return result


class _Watch:
    """One thread that cuts the calls of all others which are overdue; there is none before the first call."""

    def __init__(self) -> None:
        self._changed, self._calls = threading.Condition(), dict[object, tuple[float, Callable[[], None]]]()
        self._until = float("inf")  # when the thread looks again
        self._thread: threading.Thread | None = None

    def add(self, key: object, due: float, cut: Callable[[], None]) -> None:
        """Cut a call when it is due."""
        with self._changed:
            self._calls[key] = due, cut
            if self._thread is None or not self._thread.is_alive():  # not after a fork
                self._thread = threading.Thread(target=self._work, name="deadlines", daemon=True)
                self._thread.start()
            elif due < self._until:
                self._changed.notify()

    def remove(self, key: object) -> bool:
        """Note that a call has ended; return whether it had not been cut."""
        with self._changed:
            return self._calls.pop(key, None) is not None

    def _work(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                overdue = [key for key, (due, _) in self._calls.items() if due <= now]
                cuts = [self._calls.pop(key)[1] for key in overdue]
                if not cuts:
                    self._until = min((due for due, _ in self._calls.values()), default=float("inf"))
                    left = self._until - now
                    self._changed.wait(None if left == float("inf") else min(left, threading.TIMEOUT_MAX))
            for cut in cuts:
                cut()


_watch = _Watch()
