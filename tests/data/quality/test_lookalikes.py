"""The corpus of look-alikes: fine rows give no finding, rows with a flaw give theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ftrun.data.quality.scan import Scanner

from .clean import row, scanned

LOOKALIKES = Path(__file__).parents[1] / "lookalikes"
MOST_FALSE = 0.02  # of the fine rows may have any finding
FEWEST_HITS = 0.98  # of the rows with a flaw


def rows_of(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file of the corpus."""
    return [json.loads(line) for line in (LOOKALIKES / name).read_text("utf-8").splitlines()]


def codes(one: dict[str, Any], scanner: Scanner) -> set[str]:
    """Return the codes of what the checks of single rows find in a question and its answer."""
    return {fault.code for fault in scanned(row(one["user"], one["assistant"]), scanner)}


def test_what_only_looks_like_a_flaw_is_left_alone() -> None:
    """Of the fine rows, in at least ten languages, nearly none has any finding."""
    fine, scanner = rows_of("texts-fine.jsonl"), Scanner()
    wrong = [(one["not"], one["assistant"], found) for one in fine if (found := codes(one, scanner))]
    assert len(fine) >= 200
    assert len({one["lang"] for one in fine}) >= 10
    assert len(wrong) <= MOST_FALSE * len(fine), wrong


def test_flaws_are_found_in_many_languages() -> None:
    """Nearly every row with a flaw has the finding of that flaw."""
    flawed, scanner = rows_of("texts-true.jsonl"), Scanner()
    missed = [(one["code"], one["assistant"]) for one in flawed if one["code"] not in codes(one, scanner)]
    assert len(flawed) >= 80
    assert len(missed) <= (1 - FEWEST_HITS) * len(flawed), missed
