"""Experiment files for these tests: written into the temporary folder, read, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ftrun.errors import ConfigError, Problem
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Experiment

MINIMAL = "version: 1\nname: cat\ndata:\n  sources: [{path: a.jsonl}]\n"


class Workplace:
    """A folder with experiment files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file below the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def build(self, more: str = "", *, sets: Sequence[str] = (), **how: Any) -> Experiment:
        """Build the minimal experiment with `more` keys."""
        return build_experiment(read_document(self.write("x.yaml", MINIMAL + more), sets), **how)

    def wrong(self, content: str | bytes, *, sets: Sequence[str] = ()) -> list[Problem]:
        """Return the problems of a whole file; there must be some."""
        path = self.write("x.yaml", content)
        with pytest.raises(ConfigError) as caught:
            build_experiment(read_document(path, sets))
        return list(caught.value.problems)

    def wrong_with(self, more: str, *, sets: Sequence[str] = ()) -> Problem:
        """Return the one problem of the minimal experiment with `more` keys."""
        problems = self.wrong(MINIMAL + more, sets=sets)
        assert len(problems) == 1, problems
        return problems[0]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """Return a folder for experiment files, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return Workplace(tmp_path)
