"""A .env file is not read by itself, but whoever has one hears how to load it, and the line works."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.paid_project import Paid

VALUE = "sk-from-the-file-0123456789abcdef"


def _hint(paid: Paid) -> str:
    error = paid.json("run", paid.config, "--yes", code=2)["error"]
    assert error["code"] == "no_key"
    return str(error["hint"])


def _load(line: str, cwd: Path) -> str:
    script = f'{line}; printf %s "$SOME_KEY"'
    environment = {name: value for name, value in os.environ.items() if name != "SOME_KEY"}
    return subprocess.run(
        ["sh", "-c", script], cwd=cwd, env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    "text",
    [
        f"SOME_KEY={VALUE}\n",
        f"# keys\nexport SOME_KEY={VALUE}\nOTHER=1\n",
        f'OTHER="a b"\n  SOME_KEY="{VALUE}"',
        f"\nSOME_KEY='{VALUE}' # mine\n",
    ],
)
@pytest.mark.parametrize("folder", ["", "a folder/設定"])
def test_the_line_that_is_printed_loads_the_key(
    paid: Paid, monkeypatch: pytest.MonkeyPatch, text: str, folder: str
) -> None:
    """The project's file is named with a line that a shell runs from here; its value is not shown."""
    monkeypatch.delenv("SOME_KEY")
    here = paid.folder / folder
    here.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(here)
    (paid.folder / ".env").write_text(text, encoding="utf-8")
    hint = _hint(paid)
    assert VALUE not in hint and VALUE not in paid.error
    assert _load(hint.rpartition("Load it: ")[2], here) == VALUE


def test_the_current_folder_is_looked_at_first(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """A .env file there wins over the project's."""
    monkeypatch.delenv("SOME_KEY")
    (paid.folder / ".env").write_text("SOME_KEY=a\n")
    here = paid.folder / "sub"
    here.mkdir()
    (here / ".env").write_text("SOME_KEY=b\n")
    monkeypatch.chdir(here)
    assert _load(_hint(paid).rpartition("Load it: ")[2], here) == "b"


def test_what_a_shell_can_not_load_is_said(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some libraries take spaces around the sign, a shell does not."""
    monkeypatch.delenv("SOME_KEY")
    (paid.folder / ".env").write_text(f"SOME_KEY = {VALUE}\n")
    hint = _hint(paid)
    assert "SOME_KEY=VALUE" in hint and VALUE not in hint


@pytest.mark.parametrize(
    "text", ["", "SOME_KEY=\n", "#SOME_KEY=x\n", "NOT_SOME_KEY=x\nSOME_KEY_2=y\n", "\xff\0"]
)
def test_a_file_without_the_key_is_not_mentioned(
    paid: Paid, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Only the very variable counts; the usual hint stays."""
    monkeypatch.delenv("SOME_KEY")
    (paid.folder / ".env").write_text(text, encoding="utf-8")
    assert _hint(paid).startswith("export SOME_KEY=")


def test_the_file_is_never_read_by_itself(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set counts, whatever the file says; one that is not set stays so."""
    (paid.folder / ".env").write_text("SOME_KEY=sk-another-0123456789abcdefgh\n")
    paid.json("run", paid.config, "--yes")
    assert all("another" not in str(asked.headers) for asked in paid.server.asked)
