"""After how many calls a tuned model has paid for its training: it needs no long prompt."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ftrun.evaluation.results import Scores
from ftrun.evaluation.verdict.reasons import is_untrained

COST = "cost_usd"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """From how many calls on the tuned model is cheaper than `other`; None: never, or it can't be said.

    `sentence` says so for people.
    """

    other: str
    calls: int | None
    sentence: str


def break_even(scores: Scores, training_usd: float | None) -> tuple[BreakEven, ...]:
    """Return for each other candidate when the first one has paid for its training, from the mean cost of
    their answers. Nothing where the training was free, its price or that of answers is unknown, or the first
    candidate wasn't trained.
    """
    name = scores.subject
    if name is None or not training_usd or is_untrained(scores, name):
        return ()
    own = scores.estimate(name, COST)
    if own is None or own.value is None:
        return ()
    found = []
    for other in list(scores.candidates)[1:]:
        cost = scores.estimate(other, COST)
        if cost is not None and cost.value is not None:
            found.append(_between(name, own.value, other, cost.value, training_usd))
    return tuple(found)


def _between(name: str, own: float, candidate: str, cost: float, training_usd: float) -> BreakEven:
    saved = cost - own
    if saved <= 0:
        sentence = (
            f"Training never pays off by price: an answer of {name} costs US${own:.2g}, "
            f"one of {candidate} US${cost:.2g}."
        )
        return BreakEven(other=candidate, calls=None, sentence=sentence)
    calls = math.ceil(round(training_usd / saved, 6))
    sentence = (
        f"Training pays off against {candidate} after about {calls:,} answers: each costs US${own:.2g} "
        f"instead of US${cost:.2g}."
    )
    return BreakEven(other=candidate, calls=calls, sentence=sentence)
