"""The facts' way through JSON, and what the report begins with."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from ftrun.evaluation.answers import Record
from ftrun.report.facts import Bin, Facts, SplitFacts
from ftrun.report.verdict import ranked, verdict


def test_facts_survive_json(facts: Facts) -> None:
    """Facts written as JSON and read again are equal, nested values included."""
    again = Facts.from_json(json.loads(json.dumps(dataclasses.asdict(facts))))
    assert again == facts
    assert isinstance(again.answers[0], Record)
    assert isinstance(again.data.splits["train"], SplitFacts)
    assert isinstance(again.data.histogram[0], Bin)


def test_documents_of_other_commands_fit_as_they_are(facts_document: dict[str, Any]) -> None:
    """Keys that a report does not show, such as the encoding of a price, are left out."""
    facts_document["answers"][0]["from_a_newer_version"] = "abc"
    facts_document["cost"]["encoding"] = "o200k_base"
    assert Facts.from_json(facts_document).answers[0].prompt_id == "death"


def test_a_missing_fact_is_an_error(facts_document: dict[str, Any]) -> None:
    """A report is not made of half the facts."""
    del facts_document["provenance"]["python"]
    with pytest.raises(TypeError, match="python"):
        Facts.from_json(facts_document)


@pytest.mark.parametrize(
    ("tuned", "base", "tone", "words"),
    [
        (2, 0, "good", "It helped: the tuned model passes 2 of 2 checks, the base model 0 of 2 checks"),
        (1, 1, "neutral", "No difference"),
        (0, 1, "bad", "It got worse"),
    ],
)
def test_the_headline_says_whether_it_helped(
    facts_document: dict[str, Any], tuned: int, base: int, tone: str, words: str
) -> None:
    """Pass rates decide the headline; few questions are called a hint."""
    candidates = facts_document["scores"]["candidates"]
    candidates["tuned"] |= {"passed": tuned, "pass_rate": tuned / 2}
    candidates["base"] |= {"passed": base, "pass_rate": base / 2}
    found = verdict(Facts.from_json(facts_document))
    assert found.tone == tone
    assert found.headline.startswith(words)
    assert "a hint, not proof" in found.headline


def test_what_was_not_judged_is_not_claimed(facts_document: dict[str, Any]) -> None:
    """Without an `expect` the reader is the judge."""
    for candidate in facts_document["scores"]["candidates"].values():
        candidate.update(judged=0, passed=0, pass_rate=None)
    assert "Judge the answers yourself" in verdict(Facts.from_json(facts_document)).headline


def test_candidates_are_in_the_order_asked(facts_document: dict[str, Any]) -> None:
    """scores.json is sorted by name; the tuned model still comes first, as in the answers."""
    candidates = facts_document["scores"]["candidates"]
    facts_document["scores"]["candidates"] = dict(sorted(candidates.items()))
    assert [name for name, _ in ranked(Facts.from_json(facts_document))] == ["tuned", "base"]


def test_a_rehearsal_never_sounds_like_a_training(facts_document: dict[str, Any]) -> None:
    """Neither headline nor sentences say that something was trained or helped."""
    facts_document["target"]["model"] = "rehearsal"
    found = verdict(Facts.from_json(facts_document))
    assert "nothing was trained" in found.headline
    assert "made up" in found.trained
    assert found.fit is None


def test_an_unfinished_run_is_called_so(facts_document: dict[str, Any]) -> None:
    """A failed run has no verdict on the model."""
    facts_document["status"] = "failed"
    assert verdict(Facts.from_json(facts_document)).headline == "The run did not finish: failed."
