"""Turn Ctrl-C and SIGTERM into KeyboardInterrupt, also while a call blocks.

Python runs signal handlers between two of its own instructions. A signal that arrives after the last of
them, but before the system call starts, interrupts neither: its handler would run when the call returns,
which may be when a server has answered. So a thread repeats a signal until its handler has run, and also if
the handler ran in a destructor or in the callback of a weak reference, where Python only prints what is
raised.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

REPEAT_SECONDS = 0.2
_heard: set[int] = set()
_repeating: list[threading.Thread] = []


def heed_signals() -> None:
    """Raise KeyboardInterrupt on SIGTERM and SIGINT from now on, also where a call blocks; main thread only.

    A SIGINT that is ignored, as of a shell's background process, stays ignored.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    if not _repeating:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        thread = threading.Thread(
            target=_repeat, args=(reader, threading.get_ident()), name="signals", daemon=True
        )
        _repeating.append(thread)
        thread.start()
        usual = sys.unraisablehook

        def take_back(lost: Any) -> None:
            """Treat an interrupt that Python swallowed as one whose handler has not run."""
            if lost.exc_type is KeyboardInterrupt:
                _heard.clear()
            else:
                usual(lost)

        sys.unraisablehook = take_back


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _heard.add(number)
    raise KeyboardInterrupt


def _repeat(reader: int, main: int) -> None:
    """Read the numbers of signals as they come; after a while, resend those whose handler has not run."""
    while numbers := set(os.read(reader, 4096)):
        time.sleep(REPEAT_SECONDS)
        os.set_blocking(reader, False)
        with contextlib.suppress(BlockingIOError):  # pressed again meanwhile: still one interrupt
            numbers.update(os.read(reader, 4096))
        os.set_blocking(reader, True)
        heard = numbers & _heard
        _heard.difference_update(heard)
        for number in numbers - heard:
            if signal.getsignal(number) is _interrupt:  # repeat only the signals that we handle
                signal.pthread_kill(main, number)
