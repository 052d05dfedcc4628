"""Many calls at the same time: how many, in which order, and what becomes of the others when one fails."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from ftrun import concurrency, waiting
from ftrun.concurrency import Lane, StoppedError, concurrently, in_lanes

PATIENCE = 60.0  # seconds: what waits for an event is not to fail because the machine is busy


def results(call: object, items: Iterable[int], at_once: int) -> Iterator[tuple[int, str]]:
    """Call for each item, of which there are eight at most."""
    return concurrently(call, items, at_once=at_once, what="answers: {}".format, of=8)  # type: ignore[arg-type]


class Ends:
    """Lets a call end after another's result is there."""

    def __init__(self) -> None:
        self._threads, self._known = dict[int, threading.Thread](), threading.Condition()

    def mine(self, item: int) -> None:
        """Note that this thread makes the call for `item`."""
        with self._known:
            self._threads[item] = threading.current_thread()
            self._known.notify_all()

    def wait_for(self, item: int) -> None:
        """Wait until the thread of that call has ended."""
        with self._known:
            assert self._known.wait_for(lambda: item in self._threads, PATIENCE)
        self._threads[item].join(PATIENCE)


@pytest.mark.parametrize("at_once", [2, 3, 8])
def test_as_many_run_at_once_as_are_allowed(at_once: int) -> None:
    """None begins before there is room: each call here waits until as many run as may."""
    full = threading.Barrier(at_once)
    running, most, lock = 0, 0, threading.Lock()

    def call(item: int) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if item < 8 - 8 % at_once:
            full.wait(PATIENCE)
        with lock:
            running -= 1
        return str(item)

    assert sorted(results(call, range(8), at_once)) == [(item, str(item)) for item in range(8)]
    assert most == at_once


def test_results_come_as_the_calls_end() -> None:
    """The first item's call ends last here, and holds nobody up."""
    others = threading.Event()

    def call(item: int) -> str:
        assert item or others.wait(PATIENCE)
        return str(item)

    came = []
    for item, _ in results(call, range(8), 2):
        came.append(item)
        if len(came) == 7:
            others.set()
    assert came == [*range(1, 8), 0]


def test_one_at_a_time_is_the_callers_own_loop() -> None:
    """Each item is taken when the result before it was dealt with, and called in the caller's thread."""
    told: list[str] = []

    def items() -> Iterator[int]:
        for item in range(2):
            told.append(f"take {item}")
            yield item

    def call(item: int) -> str:
        told.append(f"call {item} in {threading.current_thread().name}")
        return str(item)

    for item, _ in results(call, items(), 1):
        told.append(f"keep {item}")
    here = threading.current_thread().name
    steps = ["take {}", "call {} in " + here, "keep {}"]
    assert told == [step.format(item) for item in range(2) for step in steps]


def test_after_an_error_none_begins_and_those_that_run_are_kept() -> None:
    """The error is raised after the results of the calls that were under way, and it is the first item's."""
    begun, kept = list[int](), list[int]()
    ends = Ends()

    def call(item: int) -> str:
        if item == 2:
            ends.mine(item)
            raise ValueError("2")
        ends.wait_for(2)
        if item == 0:
            raise ValueError("0")
        return str(item)

    def items() -> Iterator[int]:
        for item in range(8):
            begun.append(item)
            yield item

    with pytest.raises(ValueError, match="0"):
        for item, _ in results(call, items(), 3):
            kept.append(item)
    assert (begun, kept) == ([0, 1, 2], [1])


def test_a_call_that_does_not_end_is_not_waited_for_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left to itself, in a thread that does not keep the process alive."""
    monkeypatch.setattr(concurrency, "LAST_RESULTS", 0.05)
    over, ends, before = threading.Event(), Ends(), set(threading.enumerate())

    def call(item: int) -> str:
        if item == 0:
            over.wait(PATIENCE)
            return "too late"
        if item == 1:
            ends.mine(item)
            return "kept"
        ends.wait_for(1)
        raise ValueError("no")

    kept = []
    with pytest.raises(ValueError, match="no"):
        for item, result in results(call, range(3), 3):
            kept.append((item, result))
    assert kept == [(1, "kept")]
    left = [one for one in threading.enumerate() if one.name == "concurrent" and one not in before]
    assert left and all(one.daemon for one in left)
    over.set()
    for one in left:
        one.join(PATIENCE)


def test_their_waits_are_said_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What each call waits for is not said; how many were received and are in progress is."""
    said: list[str] = []
    told = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        told.set()

    monkeypatch.setattr(waiting, "_say", [say])
    monkeypatch.setattr(waiting, "PAUSES", (0.01, PATIENCE))

    def call(item: int) -> str:
        with waiting.waiting("one server"):
            waiting.say("asked")
            assert item < 2 or told.wait(PATIENCE)
        return str(item)

    assert len(list(results(call, range(5), 3))) == 5
    assert len(said) == 1
    assert re.match(r"waiting for answers: [0-2] of 8 received, [1-3] in progress, since ", said[0])


def lane(call: Callable[[int], str], number: int = 8, at_once: int = 3, **more: Any) -> Lane[int, str]:
    """Return a lane with so many items."""
    return Lane(items=range(number), call=call, at_once=at_once, **more)


def test_lanes_run_side_by_side() -> None:
    """Each has its own threads: one that is full or slow holds up no other."""
    over = threading.Event()

    def slow(item: int) -> str:
        assert over.wait(PATIENCE)
        return f"slow {item}"

    came: list[Any] = []
    for ended in in_lanes([lane(slow, 2, 1), lane(lambda item: f"quick {item}")], what=str):
        came.extend(result for _, result in ended)
        if len(came) == 8:
            over.set()
    assert [one.split()[0] for one in came] == ["quick"] * 8 + ["slow"] * 2
    assert len(set(came)) == 10


def test_a_thread_waits_until_its_result_is_dealt_with() -> None:
    """So no more results than threads are ever under way, however slow the caller is."""
    begun = list[int]()
    taken = list[int]()

    def call(item: int) -> str:
        begun.append(item)
        return str(item)

    came = 0
    for ended in in_lanes([lane(call, at_once=2, taken=lambda item, _: taken.append(item))], what=str):
        assert len(begun) <= came + 2
        came += len(ended)
    assert sorted(begun) == sorted(taken) == list(range(8)) and came == 8


def test_results_that_are_there_come_together() -> None:
    """So the caller keeps all that ended while it was busy in one go."""
    others = threading.Semaphore(0)

    def call(item: int) -> str:
        assert item == 0 or others.acquire(timeout=PATIENCE)
        return str(item)

    results = in_lanes([lane(call, 4, 4)], what=str)
    assert next(results) == [(0, "0")]
    others.release(3)
    time.sleep(0.5)  # seconds that the caller is busy
    assert sorted(next(results)) == [(1, "1"), (2, "2"), (3, "3")]
    assert list(results) == []


def test_an_error_in_a_lane_stops_all() -> None:
    """What runs is kept, what only waits ends, and the error is raised at the end."""
    failed, stopped = threading.Event(), threading.Event()

    def fail(_: int) -> str:
        failed.set()
        raise ValueError("no")

    def wait(_: int) -> str:
        assert stopped.wait(PATIENCE)
        raise StoppedError

    def end(item: int) -> str:
        assert failed.wait(PATIENCE)
        return str(item)

    kept: list[Any] = []
    with pytest.raises(ValueError, match="no"):
        for ended in in_lanes([lane(fail), lane(wait, stop=stopped.set), lane(end, 1)], what=str):
            kept.extend(result for _, result in ended)
    assert kept == ["0"]


def test_lanes_end_with_the_caller() -> None:
    """Where the caller stops taking, nothing begins any more, and no thread waits for it."""
    begun, before = list[int](), set(threading.enumerate())

    def call(item: int) -> str:
        begun.append(item)
        return str(item)

    results = in_lanes([lane(call, 1000, 2)], what=str)
    next(results)
    begun_then = len(begun)
    del results  # which closes it
    left = [one for one in threading.enumerate() if one.name == "concurrent" and one not in before]
    for one in left:
        one.join(PATIENCE)
    assert left and not any(one.is_alive() for one in left)
    assert len(begun) <= begun_then + 2
