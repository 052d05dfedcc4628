"""The locks of a run: where a file system has none, that is said and nothing goes on."""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
from pathlib import Path

import pytest

from ftrun.errors import DecisionError
from ftrun.state.locks import held, user_file


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_without_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """What a network file system answers to flock is no crash, and never taken for a lock; nor is another
    kind of lock taken instead, which would outlive a killed run.
    """

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(DecisionError, match=os.strerror(number)) as caught,
        held(tmp_path / "run.lock", what="another run", wait=False),
    ):
        pass
    assert caught.value.code == "no_lock" and "FTRUN_RUNS_DIR" in (caught.value.problem.hint or "")


def test_a_user_without_a_home_is_told_to_name_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that runs as a number that nobody knows has no home: that is said, with the way out."""

    def nobody(_number: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in ("HOME", "XDG_STATE_HOME", "FTRUN_LOCKS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DecisionError, match="no home") as caught:
        user_file("job.lock")
    assert "FTRUN_LOCKS" in (caught.value.problem.hint or "")
