"""The facts' way through JSON, and what the report begins with."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from typing import Any

import pytest

from ftrun.evaluation.answers import Record
from ftrun.evaluation.results import Verdict
from ftrun.evaluation.scores_document import read_scores
from ftrun.report.facts import Bin, Facts, SplitFacts
from ftrun.report.verdict import changed_questions, changes_of, side_by_side, verdict
from report.conftest import scores
from report.example import facts_of_many


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
        (2, 0, "neutral", "Only a hint, from 2 questions: tuned passes 2 of 2 questions, base 0"),
        (1, 1, "neutral", "Only a hint"),
        (0, 1, "neutral", "Only a hint"),
    ],
)
def test_the_headline_says_whether_it_helped(
    facts_document: dict[str, Any], tuned: int, base: int, tone: str, words: str
) -> None:
    """A few questions are never called help or harm, also where no verdict was kept; the label says so."""
    facts_document["scores"] = scores(tuned, base)
    found = verdict(Facts.from_json(facts_document))
    assert found.tone == tone
    assert found.headline.startswith(words)
    assert found.label == "? not enough evidence"


@pytest.mark.parametrize(
    ("quality", "tone", "label", "words"),
    [
        (0.9, "good", "✓ ship it", "It helped"),
        (0.3, "bad", "✗ don't ship it", "Fine-tuning is not worth it: few-shot"),
        (0.66, "neutral", "? not enough evidence", ""),
    ],
)
def test_the_verdict_of_the_evaluation_is_shown(quality: float, tone: str, label: str, words: str) -> None:
    """Decision, headline and reasons are those that the evaluation found; its warnings are beside it."""
    facts = facts_of_many(200, 3, quality={"tuned": quality, "base": 0.66, "few-shot": 0.7})
    if tone == "neutral":
        assert facts.scores.verdict is not None
        facts = replace(facts, scores=replace(facts.scores, gates=(), comparisons=()))
        undecided = Verdict(decision="not_enough_evidence", reasons=("Ask more.",))
        facts = replace(facts, scores=replace(facts.scores, verdict=undecided))
    found = verdict(facts)
    assert facts.scores.verdict is not None
    said = [one for one in facts.scores.verdict.reasons if not one.startswith("Gate passed")]  # listed apart
    assert (found.label, list(found.reasons)) == (label, said)
    assert found.headline.startswith(words)
    assert "2 answers of base end in a loop." in found.warnings


def test_changes_are_those_against_the_base_model() -> None:
    """Of several comparisons the one with base counts, and at most so many questions are shown."""
    facts = facts_of_many(100, 4)
    (change,) = changes_of(facts)
    found = changed_questions(change, side_by_side(facts.answers), 3)
    assert (found.changes.a, found.changes.b) == ("tuned", "base")
    assert len(found.fixed) == 3 < len(found.changes.fixed)
    for one in found.fixed:
        passed = {answer.candidate: answer.passed for answer in one.answers}
        assert (passed["tuned"], passed["base"]) == (True, False)


def test_what_was_not_judged_is_not_claimed(facts_document: dict[str, Any]) -> None:
    """Without an `expect` the reader is the judge."""
    for candidate in facts_document["scores"]["candidates"].values():
        candidate["metrics"] = {}
    facts_document["scores"] |= {"comparisons": [], "metric": None}
    found = verdict(Facts.from_json(facts_document))
    assert "Judge the answers yourself" in found.headline
    assert (found.label, found.tone) == (None, "neutral")


def test_scores_of_earlier_versions_are_reported(facts_document: dict[str, Any]) -> None:
    """An old scores.json gives the same verdict, flips and label as a new one."""
    old = {
        "candidates": {
            "base": {"pass_rate": 0.0, "passed": 0, "judged": 2, "asked": 3},
            "tuned": {"pass_rate": 1.0, "passed": 2, "judged": 2, "asked": 3},
        },
        "flips": [{"prompt_id": "music", "change": "fixed"}, {"prompt_id": "work", "change": "fixed"}],
    }
    new = verdict(Facts.from_json(facts_document))
    facts = Facts.from_json({**facts_document, "scores": read_scores(old)})
    assert verdict(facts) == new
    (found,) = changes_of(facts)
    assert found.kinds == {"music": "fixed", "work": "fixed"}


def test_a_rehearsal_never_sounds_like_a_training(facts_document: dict[str, Any]) -> None:
    """Neither headline nor sentences say that something was trained or helped."""
    facts_document["target"]["model"] = "rehearsal"
    found = verdict(Facts.from_json(facts_document))
    assert "nothing was trained" in found.headline
    assert found.trained is not None and "made up" in found.trained
    assert found.label is None and not found.reasons
    assert found.fit is None


def test_an_unfinished_run_is_called_so(facts_document: dict[str, Any]) -> None:
    """A failed run has no verdict on the model."""
    facts_document["status"] = "failed"
    assert verdict(Facts.from_json(facts_document)).headline == "The run did not finish: failed."
