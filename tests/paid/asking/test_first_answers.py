"""One question goes first; the others follow when it is answered, takes long, or everything stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from ftrun.concurrency import StoppedError
from ftrun.paid.asking import first_answers
from ftrun.paid.asking.first_answers import FirstAnswers


def begun(first: FirstAnswers, model: str) -> tuple[threading.Thread, list[str]]:
    """Let another question for the model wait; return its thread, and what came of it."""
    said: list[str] = []

    def wait() -> None:
        try:
            first.wait((None, model))
            said.append("asked")
        except StoppedError:
            said.append("stopped")

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread, said


@pytest.mark.parametrize(
    ("end", "said"),
    [(lambda first: first.came((None, "m")), "asked"), (FirstAnswers.stop, "stopped")],
    ids=["answered", "stopped"],
)
def test_others_wait_for_the_first(end: Callable[[FirstAnswers], None], said: str) -> None:
    """Each model has a first question of its own, which doesn't wait."""
    first = FirstAnswers()
    first.wait((None, "m"))
    first.wait((None, "another"))
    thread, found = begun(first, "m")
    thread.join(0.1)
    assert thread.is_alive() and not found
    end(first)
    thread.join(10)
    assert found == [said]


def test_a_slow_answer_holds_up_the_others_only_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server refuses it says at once."""
    monkeypatch.setattr(first_answers, "LONGEST", 0.2)
    first, start = FirstAnswers(), time.monotonic()
    first.wait((None, "m"))
    thread, found = begun(first, "m")
    thread.join(10)
    assert found == ["asked"] and time.monotonic() - start >= 0.2


def test_nobody_is_asked_before_the_leader_has_answered() -> None:
    """Not even the first question of another model goes out."""
    first = FirstAnswers((None, "m"))
    thread, found = begun(first, "another")
    thread.join(0.1)
    assert thread.is_alive() and not found
    first.wait((None, "m"))
    first.came((None, "m"))
    thread.join(10)
    assert found == ["asked"]
