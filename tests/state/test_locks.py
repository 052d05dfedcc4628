"""The locks of a run: where a file system has none, that is said and nothing goes on."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from ftrun.errors import DecisionError
from ftrun.state.locks import held


def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a network file system answers to flock is no crash, and never taken for a lock."""

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(DecisionError, match="No locks available") as caught,
        held(tmp_path / "run.lock", what="another run", wait=False),
    ):
        pass
    assert caught.value.code == "no_lock" and "FTRUN_RUNS_DIR" in (caught.value.problem.hint or "")
