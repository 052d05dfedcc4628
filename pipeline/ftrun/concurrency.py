"""Make several calls at the same time, in threads that never keep the process alive."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from ftrun.waiting import unreported, waiting

Item = TypeVar("Item")
Result = TypeVar("Result")

LAST_RESULTS = 10.0  # seconds that the other calls have to end, once one has failed
ABANDONED = 1.0  # seconds after which a thread checks whether anybody still wants its result


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


class StoppedError(Exception):
    """A call ended without a result, because another one has failed: that one's error counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane(Generic[Item, Result]):
    """Calls of one kind: `at_once` threads take the `items` in their order. `taken` is called, in the thread
    of the call, when the caller is done with its result. `stop` is called when no further call may begin,
    and lets those that haven't really begun end with a StoppedError.
    """

    items: Sequence[Item]
    call: Callable[[Item], Result]
    at_once: int
    taken: Callable[[Item, Result], None] = lambda _item, _result: None
    stop: Callable[[], None] = lambda: None


def in_lanes(
    lanes: Sequence[Lane[Item, Result]], *, what: Callable[[], str]
) -> Iterator[list[tuple[Item, Result]]]:
    """Yield items with the results of their calls, as the calls end: all that are there, at least one. The
    lanes run side by side.

    A thread makes its next call when the caller is done with the result of the one before and wants more: so
    there are never more results under way than threads. Waits are reported as one, with what `what` returns.
    After a call that raises, none begins. Those that run have LAST_RESULTS seconds; what they return is
    yielded, then the first error is raised.
    """
    pool = _Pool(lanes)
    with waiting(what):
        yield from pool.results()


class _Pool(Generic[Item, Result]):
    def __init__(self, lanes: Sequence[Lane[Item, Result]]) -> None:
        self._lanes, self._stopped, self._over = lanes, False, False
        self._ended: SimpleQueue[_Result[Item, Result] | BaseException | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, args=(lane, items), name="concurrent", daemon=True)
            for lane, items in ((lane, _Shared(lane.items)) for lane in lanes)
            for _ in range(min(lane.at_once, len(lane.items)))
        ]

    def results(self) -> Iterator[list[tuple[Item, Result]]]:
        working, error, until = len(self._threads), None, None
        for thread in self._threads:
            thread.start()
        try:
            while working:
                try:
                    ended = [self._ended.get(timeout=_left(until))]
                except Empty:
                    break
                ended += [self._ended.get() for _ in range(self._ended.qsize())]  # nobody else takes any
                came = [one for one in ended if isinstance(one, _Result)]
                if came:
                    yield [(one.item, one.result) for one in came]
                for result in came:
                    result.taken.release()
                for failed in (one for one in ended if isinstance(one, BaseException)):
                    error = error or failed
                    until = until or time.monotonic() + LAST_RESULTS
                    self._stop()
                working -= ended.count(None)
        finally:
            self._over = True
            self._stop()
        if error is not None:
            raise error

    def _stop(self) -> None:
        self._stopped = True
        for lane in self._lanes:
            lane.stop()

    def _work(self, lane: Lane[Item, Result], items: _Shared[Item]) -> None:
        try:
            with unreported():
                for item in items:
                    if self._stopped:
                        break
                    result = _Result(item, lane.call(item), threading.Semaphore(0))
                    self._ended.put(result)
                    while not result.taken.acquire(timeout=ABANDONED):
                        if self._over:
                            return
                    lane.taken(item, result.result)
        except StoppedError:
            pass
        except BaseException as error:  # raised in the caller's thread above
            self._ended.put(error)
        self._ended.put(None)


@dataclass(frozen=True, slots=True)
class _Result(Generic[Item, Result]):
    item: Item
    result: Result
    taken: threading.Semaphore


class _Shared(Generic[Item]):
    """Items that several threads take, each once."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items, self._taking = iter(items), threading.Lock()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._taking:
                try:
                    item = next(self._items)
                except StopIteration:
                    return
            yield item


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
