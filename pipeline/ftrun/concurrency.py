"""Make several calls at the same time, in threads that never keep the process alive."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from ftrun.waiting import unreported

Item = TypeVar("Item")
Result = TypeVar("Result")

LAST_RESULTS = 10.0  # seconds that the other calls have to end, once one has failed


def concurrently(
    call: Callable[[Item], Result], items: Iterable[Item], *, at_once: int
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with what `call` returns for it, as the calls end; at most `at_once` run at one time.

    An item is taken from `items` when its call begins, in the caller's thread. If `at_once` is 1 the call
    runs there too, and the next one begins when the caller wants more. Otherwise it runs in a thread of its
    own, whose waits are not reported: the caller knows better what it waits for.

    After a call that raises, none begins. Those that run have LAST_RESULTS seconds; what they return is
    yielded, then the error is raised: of several that of the item that was taken first.
    """
    if at_once == 1:
        for item in items:
            yield item, call(item)
        return
    ended: SimpleQueue[tuple[int, Item, Any, BaseException | None]] = SimpleQueue()

    def work(number: int, item: Item) -> None:
        try:
            with unreported():
                ended.put((number, item, call(item), None))
        except BaseException as error:  # raised in the caller's thread below
            ended.put((number, item, None, error))

    tasks, running = enumerate(items), 0
    errors, until = dict[int, BaseException](), None
    while True:
        for task in islice(tasks, 0 if errors else at_once - running):
            threading.Thread(target=work, args=task, name="one of many", daemon=True).start()
            running += 1
        if not running:
            break
        try:
            number, item, result, error = ended.get(timeout=_left(until))
        except Empty:
            break
        running -= 1
        if error is None:
            yield item, result
        else:
            errors[number] = error
            until = until or time.monotonic() + LAST_RESULTS
    if errors:
        raise errors[min(errors)]


def _left(until: float | None) -> float | None:
    """Return the seconds until then, at least 0; None: for ever."""
    return None if until is None else max(0.0, until - time.monotonic())
