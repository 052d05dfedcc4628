"""Where the folders of a user are, and what is said to one who has none."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from ftrun.errors import UserError
from ftrun.user_dirs import user_folder

CACHE = ("FTRUN_CACHE", "XDG_CACHE_HOME", ".cache")


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({}, "home/.cache/ftrun"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/ftrun"),
        ({"XDG_CACHE_HOME": "x"}, "home/.cache/ftrun"),
        ({"FTRUN_CACHE": "~/c", "XDG_CACHE_HOME": "/x"}, "home/c"),
    ],
)
def test_a_variable_of_ours_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], folder: str
) -> None:
    """Ours, the standard's where it is absolute, the home's: in this order."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert user_folder(*CACHE) == tmp_path / folder


def test_who_has_no_home_is_told_how_to_name_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run as a user whom nobody knows: that is no bug of ftrun."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    with pytest.raises(KeyError):
        pwd.getpwuid(os.getuid())
    with pytest.raises(UserError) as caught:
        user_folder(*CACHE)
    assert "FTRUN_CACHE" in str(caught.value.problem.hint)
