"""Many calls at the same time: how many, in which order, and what becomes of the others when one fails."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator

import pytest

from ftrun import concurrency, waiting
from ftrun.concurrency import concurrently

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
    over, ends = threading.Event(), Ends()

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
    left = [one for one in threading.enumerate() if one.name == "concurrent"]
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
