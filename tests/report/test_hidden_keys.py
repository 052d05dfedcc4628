"""A key is taken out of reports and comparisons before its characters are escaped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrun import redaction
from ftrun.files import write_atomic
from ftrun.report import write_report
from ftrun.report.comparison import Comparison, EntryFacts, Setting
from ftrun.report.comparison_page import html_comparison, markdown_comparison
from ftrun.report.html import data_page
from report.poisoned import poisoned

KEY = "fk-<canary>&\"'_*|x@y"


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    """Know the key, and forget it afterwards."""
    before = set(redaction._secrets)
    redaction.keep_secret(KEY)
    yield
    redaction._secrets.clear()
    redaction._secrets.update(before)


def test_no_page_shows_a_key_that_escaping_changes(tmp_path: Path, facts_document: dict[str, Any]) -> None:
    """A key with markup in it is in no report, page of a check or Markdown, as HTML, JSON or text."""
    facts = poisoned(facts_document, f"said: {KEY}")
    write_report(facts, tmp_path)
    write_atomic(tmp_path / "data.html", data_page(facts, headline=KEY, tone="bad"))
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "key hidden" in text and "canary" not in text, path


def entry(letter: str) -> EntryFacts:
    """Return a model of which nothing is known."""
    return EntryFacts(
        letter=letter,
        entry=letter,
        experiment="toy",
        target="here",
        provider="local",
        spec_key="k",
        job_id="j",
        fine_tuned_model="m",
        status="succeeded",
    )


def test_no_comparison_shows_a_key_that_escaping_changes() -> None:
    """A key in a setting is hidden in the page and in the Markdown."""
    found = Comparison(
        entries=tuple(entry(letter) for letter in "AB"),
        settings=(Setting(name=KEY, values=(KEY, "b")),),
        answers=(),
        pairs=(),
        notes=(KEY,),
    )
    for text in (html_comparison(found), markdown_comparison(found)):
        assert "key hidden" in text and "canary" not in text


def test_a_key_is_known_as_json_spells_it() -> None:
    """JSON with and without escapes for what is not ASCII hides a password with quotes."""
    redaction.keep_secret('päss"wörd')
    for text in (json.dumps('päss"wörd'), json.dumps('päss"wörd', ensure_ascii=False)):
        assert redaction.hide(text) == f'"{redaction.HIDDEN}"'
