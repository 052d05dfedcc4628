"""What changed from one candidate to another: marks that flipped, or scores that rose and fell."""

from __future__ import annotations

import io
from dataclasses import replace

from ftrun.evaluation.showing.flips import changes
from ftrun.evaluation.showing.terminal import print_evaluation
from ftrun.report.facts import Facts
from ftrun.report.html import html_report
from ftrun.report.markdown import markdown_report
from report.example import facts_of_many
from support.evaluations import evaluated, passing


def graded(count: int) -> Facts:
    """Return an evaluation whose main metric gives each answer a score instead of a mark."""
    facts = facts_of_many(count, 3)
    comparisons = [replace(one, metric="chrf", flips=None) for one in facts.scores.comparisons]
    scores = replace(facts.scores, metric="chrf", comparisons=tuple(comparisons), gates=(), verdict=None)
    return replace(facts, scores=scores)


def test_marks_that_flipped_come_from_the_comparison_with_base() -> None:
    """Fixed and broken are those of the main metric against base, though few-shot was asked too."""
    facts = facts_of_many(60, 3)
    found = changes(facts.scores, facts.answers)
    assert found is not None and found.values == {}
    flips = facts.scores.comparisons[0].flips
    assert flips is not None
    assert (found.a, found.b, found.fixed, found.broken) == ("tuned", "base", flips.fixed, flips.broken)


def test_scores_are_ranked_by_what_they_gained_and_lost() -> None:
    """Without marks the largest gains and losses are the first."""
    facts = graded(60)
    found = changes(facts.scores, facts.answers)
    assert found is not None and found.kinds == {}
    values = {(one.prompt_id, one.candidate): one.scores["chrf"]["value"] for one in facts.answers}
    gains = [values[name, "tuned"] - values[name, "base"] for name in found.fixed]
    losses = [values[name, "tuned"] - values[name, "base"] for name in found.broken]
    assert gains == sorted(gains, reverse=True) and min(gains) > 0
    assert losses == sorted(losses) and max(losses) < 0
    assert len(gains) + len(losses) + found.same == 60


def test_gains_and_losses_are_shown_everywhere() -> None:
    """Page, Markdown and terminal call them better and worse, with both scores."""
    facts = graded(60)
    found = changes(facts.scores, facts.answers)
    assert found is not None
    stream = io.StringIO()
    print_evaluation(facts.scores, facts.answers, stream)
    first, last = (f"{found.values[found.fixed[0], name]}" for name in ("tuned", "base"))
    assert f"✓ better  {found.fixed[0]}  {first} / {last}  " in stream.getvalue()
    assert f"| ✅ better ({first} / {last}) | `{found.fixed[0]}` " in markdown_report(facts)
    page = html_report(facts)
    assert "tuned scores higher than base in chrf on" in page
    assert "✓ better</span>" in page and "✗ worse</span>" in page
    assert "✓ fixed" not in page


def test_nothing_changed_is_nothing_to_show() -> None:
    """Equal answers, or a candidate alone, leave no section."""
    facts = graded(5)
    same = [replace(one, scores={"chrf": {"value": 1.0}}) for one in facts.answers]
    assert changes(facts.scores, same) is None
    alone = replace(facts.scores, candidates={"tuned": facts.scores.candidates["tuned"]}, comparisons=())
    assert changes(alone, facts.answers) is None


def test_recall_and_general_questions_gain_nothing() -> None:
    """Changes are counted over the questions that the main metric is over; over others if there are none."""
    facts = graded(60)
    recalled = [replace(one, recall=True) if one.prompt_id.endswith("0") else one for one in facts.answers]
    found = changes(facts.scores, recalled)
    names = {one.prompt_id for one in facts.answers}
    assert found is not None
    counted = len(found.fixed) + len(found.broken) + found.same
    assert counted == sum(not name.endswith("0") for name in names)
    assert changes(facts.scores, [replace(one, set="recall") for one in facts.answers]) is not None


def test_scores_that_are_right_or_wrong_are_marks() -> None:
    """F1 is not of a single answer: whose label is right there counts as fixed or broken."""
    facts = graded(60)
    answers = [
        replace(one, scores={"chrf": {"value": float(one.scores["chrf"]["value"] > 50), "explanation": ""}})
        for one in facts.answers
    ]
    found = changes(facts.scores, answers)
    assert found is not None and found.values == {} and found.label("fixed") == "fixed"
    assert set(found.kinds) == {*found.fixed, *found.broken}
    assert "that base fails" in found.sentence


def test_before_training_each_rival_stands_beside_base() -> None:
    """Base fixes and breaks nothing: each rival says what only it answers, and what only base does."""
    passed = {
        "base": [True, False, False],
        "few-shot": [False, True, True],
        "retrieval": [True, True, False],
    }
    scores, records = evaluated(passing(passed))
    stream = io.StringIO()
    print_evaluation(scores, records, stream)
    text = stream.getvalue()
    assert "few-shot passes 2 that base fails, and fails 1 that it passes; 0 have the same result." in text
    assert "retrieval passes 1 that base fails, and fails 0 that it passes; 2 have the same result." in text
    assert "✓ only few-shot  q1" in text and "✗ only base  q0" in text and "✓ only retrieval  q1" in text
    assert "fixed" not in text and "broken" not in text
