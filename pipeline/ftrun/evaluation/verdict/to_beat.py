"""What fine-tuning would have to beat: the best of the candidates that need no training."""

from __future__ import annotations

from collections.abc import Iterator

from ftrun.evaluation.results import BASE, Estimate, Scores
from ftrun.evaluation.verdict.deciding import nothing_right_headline
from ftrun.evaluation.verdict.metric_texts import size_text, value_text
from ftrun.evaluation.verdict.reasons import NOTHING_RIGHT, nothing_right

CEILING = 0.95  # of a share: who has this much can hardly be beaten


def to_beat(scores: Scores) -> tuple[str, ...]:
    """Return in sentences what a tuned model would have to beat; the first is the headline."""
    return tuple(_sentences(scores))


def best(scores: Scores) -> tuple[str, Estimate] | None:
    """Return the best candidate with its main metric, of equals the first; None if nothing was judged.
    Recorded answers to some of the questions alone can't be compared.
    """
    found = [
        (name, one)
        for name in scores.candidates
        if (one := scores.estimate(name, scores.metric)) is not None and one.value is not None
    ]
    whole = max((one.n for _, one in found), default=0)
    sign = -1 if scores.metric in scores.lower_is_better else 1
    complete = [(name, one) for name, one in found if one.n == whole]
    return max(complete, key=lambda pair: sign * (pair[1].value or 0), default=None)


def _sentences(scores: Scores) -> Iterator[str]:
    found, key = best(scores), scores.metric or ""
    if found is None:
        yield "No answer was judged, so there is nothing to beat yet."
        return
    name, one = found
    value, n = value_text(scores, key, one.value or 0), one.n
    if nothing_right(scores):
        yield nothing_right_headline(scores, n)
        yield NOTHING_RIGHT
        return
    yield f"Fine-tuning would have to beat {name}: {value} in {key} ({n} question{'' if n == 1 else 's'})."
    if one.low is None or one.high is None:
        yield f"Too few questions to say how certain that is: {n}."
        return
    low, high = value_text(scores, key, one.low), value_text(scores, key, one.high)
    yield f"With 95 % confidence, {name} is between {low} and {high} in {key}."
    for other in scores.against():
        if other.a == BASE and other.worse:
            candidate = other.b
            yield f"Better than base already, without training: {candidate}."
    if (
        scores.scales.get(key) == "share"
        and key not in scores.lower_is_better
        and (one.value or 0) >= CEILING
    ):
        yield f"Little is left to gain: {name} is nearly perfect without training."
        return
    known = [other.detectable for other in scores.against() if other.detectable is not None]
    if known:
        size = size_text(scores, key, max(known))
        yield (
            f"This many questions would detect an improvement of about {size} or more; "
            f"for less, add questions."
        )
