"""Experiments for these tests, and a run of the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftrun.cli import main
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Experiment

CONFIG = """\
version: 1
name: toy
targets:
  local: {provider: local, model: rehearsal}
data:
  sources: [{path: rows.csv}]
  split: {validation: 2, test: 3, seed: 1}
prompt: {user: "{{ q }}", assistant: "{{ a }}"}
eval:
  prompts: [{id: one, user: 一番は？}]
"""
Build = Callable[..., Experiment]
Command = Callable[..., dict[str, Any]]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Return a function that writes a project of 14 rows and builds its experiment."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"質問{number}は？,答え{number}です。\n" for number in range(14))
    (tmp_path / "rows.csv").write_text("q,a\n" + rows, encoding="utf-8")

    def made(config: str = CONFIG, sets: tuple[str, ...] = ()) -> Experiment:
        path = tmp_path / "toy.yaml"
        path.write_text(config, encoding="utf-8")
        return build_experiment(read_document(path, sets))

    return made


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs `ftrun WORDS --json` here and returns its document."""

    def run(*words: str, code: int = 0) -> dict[str, Any]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main([*words, "--json"])
        said = capfd.readouterr()
        assert end.value.code == code, said
        document = json.loads(said.out)
        assert isinstance(document, dict)
        return document

    return run
