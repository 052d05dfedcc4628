"""Calls that may never end have a bound, in the main thread and in those that work for others."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from ftrun.waiting import OverdueError, bounded, unreported


def hang_until_cut(seconds: float) -> float:
    """Read from a socket that says nothing, until it is shut down; return how long that took."""
    ours, theirs = socket.socketpair()
    start = time.monotonic()
    with ours, theirs, pytest.raises(OverdueError):
        bounded(lambda: ours.recv(1), seconds, cut=lambda: ours.shutdown(socket.SHUT_RDWR), cut_ends=True)
    return time.monotonic() - start


def in_worker(call: object, found: list[float]) -> threading.Thread:
    """Return a started thread that works for another."""

    def work() -> None:
        with unreported():
            assert callable(call)
            found.append(call())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def hang_for_a_while() -> float:
    """Hang, with a short bound."""
    return hang_until_cut(0.3)


def hang_longer() -> float:
    """Hang, with a bound that is due later than another's."""
    return hang_until_cut(0.8)


def test_a_call_of_the_main_thread_is_cut() -> None:
    """It ends soon after its bound."""
    assert 0.3 <= hang_until_cut(0.3) < 5


def test_calls_of_worker_threads_are_cut_each_at_its_time() -> None:
    """The later one began first; one thread watches both, and makes none of the calls."""
    found = list[float]()
    threads = [in_worker(hang_longer, found)]
    time.sleep(0.05)
    threads.append(in_worker(hang_for_a_while, found))
    for thread in threads:
        thread.join(20)
    assert len(found) == 2 and 0.3 <= found[0] < 0.8 <= found[1]
    assert [one.name for one in threading.enumerate()].count("deadlines") == 1
    assert "call" not in [one.name for one in threading.enumerate()]


def test_an_error_before_the_bound_is_raised_as_it_is() -> None:
    """Nothing is cut."""
    with unreported(), pytest.raises(ZeroDivisionError):
        bounded(lambda: 1 // 0, 60, cut=lambda: pytest.fail("cut"), cut_ends=True)
