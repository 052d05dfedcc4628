"""Ctrl-C and SIGTERM are heard in time, whenever they come."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ftrun.cli.interrupts import REPEAT_SECONDS, heed_signals

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Put back the handlers of whoever tests, once no signal can be repeated any more."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    with contextlib.suppress(KeyboardInterrupt):
        time.sleep(3 * REPEAT_SECONDS)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_stops_no_call_is_repeated(number: signal.Signals) -> None:
    """One that reaches another thread leaves a call that blocks alone, as one does that comes just before."""
    heed_signals()
    here, there = socket.socketpair()
    here.settimeout(120)
    sender = threading.Timer(0.3, signal.raise_signal, (number,))
    began = time.monotonic()
    with here, there:
        sender.start()
        with pytest.raises(KeyboardInterrupt):
            here.recv(1)
    sender.join()
    assert time.monotonic() - began < 60


def test_a_signal_that_was_heard_is_not_repeated() -> None:
    """What runs after an interrupt, such as saving the state, is not interrupted by a repeat of it."""
    heed_signals()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    time.sleep(0.6)


class Grave:
    """Something in whose destructor a signal arrives."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_a_destructor_swallows_is_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """It interrupts a moment later, and no traceback is printed."""
    heed_signals()
    with pytest.raises(KeyboardInterrupt):
        Grave()
        time.sleep(60)
    assert "Traceback" not in capsys.readouterr().err


def test_a_signal_that_is_ignored_stays_so() -> None:
    """A shell starts what is in the background without Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    heed_signals()
    signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
