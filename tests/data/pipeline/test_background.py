"""Work in processes beside this one: its results, its errors, its end, and the search that uses it."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from ftrun import data
from ftrun.data.pipeline import background
from ftrun.data.pipeline.background import Beside
from ftrun.data.quality import near_duplicates
from ftrun.errors import FtrunError


@pytest.fixture(autouse=True)
def _cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "worker_count", lambda: 2)


def test_results_and_exceptions_come_back() -> None:
    """Several calls go on at once, each in a process of its own; what one raises is raised here."""
    with Beside() as others:
        own, power, wrong = others.begin(os.getpid), others.begin(pow, 2, 5), others.begin(int, "x")
        assert own() != os.getpid()
        assert power() == 32
        with pytest.raises(ValueError, match="invalid literal"):
            wrong()


def test_nothing_is_left_behind() -> None:
    """On leaving, work that nobody waits for ends at once; a process that dies is an error with a cure."""
    start = time.monotonic()
    with Beside() as others:
        others.begin(time.sleep, 600)
        died = others.begin(signal.raise_signal, signal.SIGKILL)
        with pytest.raises(FtrunError) as caught:
            died()
    assert caught.value.code == "worker_ended"
    assert time.monotonic() - start < 300


def test_one_core_works_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a single core no process is started, and nothing is done before it is asked for."""
    monkeypatch.setattr(background, "worker_count", lambda: 1)
    done: list[int] = []
    with Beside() as others:
        result = others.begin(done.append, 1)
        assert not done
        result()
    assert done == [1]


def test_the_search_beside_finds_the_same(make: Any, chats: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Near-duplicates are told alike, and as the same of all findings, wherever they are looked for."""
    text = "大切なことを順番に説明しますので、落ち着いて最後まで読んでから決めてくださいね。"
    near = chats(f"{text}{'はい' * (number % 3)}" for number in range(9))
    experiment = make({"a.jsonl": chats(range(60)) + near})
    here = data.examine(experiment).as_dict()
    monkeypatch.setattr(near_duplicates, "FEW", 0)
    assert data.examine(experiment).as_dict() == here
    assert "near_duplicates" in {warning["code"] for warning in here["warnings"]}
