"""The check of our English: it finds a phrase wherever people read it, and leaves code alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

CHECK = ROOT / ".ci" / "english" / "check.py"


def check(path: Path, text: str) -> list[str]:
    """Return the lines that the check prints about a file with this text."""
    path.write_text(text, encoding="utf-8")
    ended = subprocess.run([sys.executable, CHECK, path], capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    assert ended.returncode == (1 if ended.stdout else 0)
    return ended.stdout.splitlines()


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.md", "One.\n\nThe job goes\non.\n", 3),
        ("a.md", "3 tokens a\nrow\n", 1),
        ("a.py", '"""One.\n\n    The job goes\n    on.\n    """\n', 3),
        ("a.py", "x = 1\n# it is\n# no number\n", 2),
        ("a.py", "print(\n    f'{x} is no '\n    'number'\n)\n", 2),
        ("a.yaml", "# The job goes\n# on.\nversion: 1\n", 1),
    ],
)
def test_a_phrase_is_found(tmp_path: Path, name: str, text: str, line: int) -> None:
    """A phrase is reported with its line and the usual wording, also over the end of a line."""
    found = check(tmp_path / name, text)
    assert found
    assert all(one.startswith(f"{tmp_path / name}:{line}: ") for one in found)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "The job continues; there is no key, and it is no longer needed.\n"),
        ("a.md", "Code is not prose: `goes on`.\n\n```sh\ngoes on\n```\n"),
        ("a.md", "Tokens\n\nA row\n"),
        ("a.py", "goes_on = told = shall\n"),
        ("CHANGELOG.md", "## [Unreleased]\n\n## [0.1.0]\n\n- It goes on.\n"),
    ],
)
def test_usual_wording_and_code_pass(tmp_path: Path, name: str, text: str) -> None:
    """Usual wording, code, names and released versions are left alone."""
    assert check(tmp_path / name, text) == []
