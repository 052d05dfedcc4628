"""A disk that is full, read-only or broken: the last good state stays, nothing is sent without an intent."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from reliability.conftest import CREATE, FULL, Runs, make_project, recover, sound
from support.provider import Call, Fault, Provider


def witness(place: Path, call: Call) -> Fault:
    """Hold a create to the intent that must stand in the state, marked as sending, before it is sent."""
    if call.name == CREATE:
        state = json.loads((place / "runs/toy/paid/state.json").read_text(encoding="utf-8"))
        assert [intent["phase"] for intent in state["intents"].values()] == ["sending"]
    return ""


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES])
def test_the_system_refuses_at_every_point(
    runs: Runs, tmp_path: Path, provider: Provider, number: int
) -> None:
    """Whatever write fails: no bug, no second job, a readable state, and the next run comes to the end."""
    points = runs(make_project(tmp_path / "first", provider)).points
    first = {errno.ENOSPC: 1, errno.EIO: 5, errno.EROFS: 9, errno.EACCES: 13}[number]
    for at in range(first, len(points) - 10, 1 if FULL else 23):
        if points[at - 1] == "connect":
            continue
        mine = Provider().start()
        place = make_project(tmp_path / str(at), mine)
        mine.plan = lambda call, place=place: witness(place, call)  # type: ignore[misc]
        run = runs.start(place, at=at, errno=number)
        assert run.wait() in (0, 1, 4), (points[at - 1], run.stdout, run.stderr)
        assert "Traceback" not in run.stderr
        if run.wait():
            assert run.document["error"]["message"] and run.document["error"]["hint"], points[at - 1]
        sound(mine, place)
        recover(runs, mine, place)
        mine.close()
