"""Sentences beside the verdict: what is wrong with the answers or the questions that it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from ftrun.evaluation.amounts import value_text
from ftrun.evaluation.reasons import is_untrained
from ftrun.evaluation.results import BASE, Scores

GENERAL = "general"


def cautions(scores: Scores, only_recall: bool) -> Iterator[str]:
    """Yield the warnings; `only_recall`: no question but those of the training data could be judged."""
    if only_recall:
        yield (
            "All judged questions are in the training data: scores show what was memorized, "
            "not what was learned."
        )
    for name, one in scores.candidates.items():
        answered, total = one.answered, one.missing + one.answered
        if one.missing:
            yield (
                f"Answers are missing: {name} answered {answered} of {total} questions; "
                f"its comparisons leave out the others."
            )
    yield from _forgotten(scores)


def _forgotten(scores: Scores) -> Iterator[str]:
    """Yield what was forgotten: the subject passes significantly fewer general questions than the base."""
    name, found = scores.subject or "", scores.comparison(BASE, GENERAL)
    if found is None or not found.worse or is_untrained(scores, name):
        return
    mine, base = (scores.estimate(one, GENERAL) for one in (name, BASE))
    if mine is not None and base is not None and mine.value is not None and base.value is not None:
        value, other = (value_text(scores, GENERAL, one) for one in (mine.value, base.value))
        yield (
            f"General ability was lost: {name} passes {value} of the general questions, base {other}. "
            f"Mix general examples into the training data: set `data.replay`."
        )
