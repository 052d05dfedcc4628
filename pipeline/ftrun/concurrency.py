"""Make several calls at the same time, in threads that never keep the process alive."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from ftrun.waiting import unreported, waiting

Item = TypeVar("Item")
Result = TypeVar("Result")

LAST_RESULTS = 10.0  # seconds that the other calls have to end, once one has failed


def concurrently(
    call: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    at_once: int,
    what: Callable[[str], str],
    of: int,
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with what `call` returns for it, as the calls end; at most `at_once` run at one time.

    An item is taken from `items`, which has `of`, when its call begins, in the caller's thread. If `at_once`
    is 1 the call runs there too, and the next one begins when the caller wants more.

    Otherwise each call runs in a thread of its own, and their waits are reported as one: `what` is given
    such as `3 of 8 received, 2 in progress` and returns what is waited for. After a call that raises, none
    begins. Those that run have LAST_RESULTS seconds; what they return is yielded, then the error is raised:
    of several that of the item that was taken first.
    """
    if at_once == 1:
        for item in items:
            yield item, call(item)
        return
    calls = _Calls(call, items, at_once)
    with waiting(lambda: what(f"{calls.came} of {of} received, {calls.running} in progress")):
        yield from calls.results()


class _Calls(Generic[Item, Result]):
    def __init__(self, call: Callable[[Item], Result], items: Iterable[Item], at_once: int) -> None:
        self._call, self._items, self._at_once = call, enumerate(items), at_once
        self._ended: SimpleQueue[tuple[int, Item, Any, BaseException | None]] = SimpleQueue()
        self.came = self.running = 0

    def results(self) -> Iterator[tuple[Item, Result]]:
        errors, until = dict[int, BaseException](), None
        while True:
            for task in islice(self._items, 0 if errors else self._at_once - self.running):
                threading.Thread(target=self._work, args=task, name="concurrent", daemon=True).start()
                self.running += 1
            if not self.running:
                break
            try:
                number, item, result, error = self._ended.get(timeout=_left(until))
            except Empty:
                break
            self.running -= 1
            if error is None:
                self.came += 1
                yield item, result
            else:
                errors[number] = error
                until = until or time.monotonic() + LAST_RESULTS
        if errors:
            raise errors[min(errors)]

    def _work(self, number: int, item: Item) -> None:
        try:
            with unreported():
                self._ended.put((number, item, self._call(item), None))
        except BaseException as error:  # raised in the caller's thread above
            self._ended.put((number, item, None, error))


def _left(until: float | None) -> float | None:
    """Return the seconds until then, at least 0; None: for ever."""
    return None if until is None else max(0.0, until - time.monotonic())
