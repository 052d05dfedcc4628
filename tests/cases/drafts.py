"""From a file to prepared examples with what `ftrun init` drafts, in this process."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.cli import main
from ftrun.experiment import build_experiment, read_document

CASES = Path(__file__).parent
PERSONA = "You are an assistant who answers briefly and clearly."
TALK = [(f"What does number {n} cost?", f"Number {n} costs {n} euros, tax included.") for n in range(24)]


def init(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    """Run `ftrun init … --json`, check its exit code and return the document."""
    with pytest.raises(SystemExit) as exit_:
        main(["init", *words, "--json"])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert exit_.value.code == code, document
    return document


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    """Return the message and the tip with which `ftrun init` stops, having written nothing."""
    error = init(capsys, *words, code=2)["error"]
    assert not Path("configs").exists()
    return error["message"], error["hint"] or ""


def drafted(capsys: pytest.CaptureFixture[str], path: Path, *words: str) -> tuple[str, list[list[str]]]:
    """Draft an experiment from the file; return its text, and what is said in each of its examples."""
    document = init(capsys, str(path), *words)
    config = Path(document["file"])
    return config.read_text(encoding="utf-8"), examples(config)


def examples(config: Path) -> list[list[str]]:
    """Return what is said in each example that the experiment prepares, in the order of the data."""
    text = re.sub(r"\n  (split|test_set): .*", "", config.read_text(encoding="utf-8"))
    config.write_text(text, encoding="utf-8")
    data.prepare(build_experiment(read_document(config)), out := config.parent / "out")
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    return [[one["content"] for one in row["messages"] if one["role"] != "system"] for row in rows]


def pairs(rows: list[tuple[str, str]]) -> list[list[str]]:
    """Return the rows as `examples` does."""
    return [list(row) for row in rows]
