"""The sentences under a verdict: what each comparison shows, what it means, and what would settle it."""

from __future__ import annotations

from collections.abc import Iterator

from ftrun.evaluation.results import BASE, Comparison, GateResult, Scores
from ftrun.evaluation.statistics.estimates import FEWEST, FEWEST_PASSES
from ftrun.evaluation.verdict.metric_texts import range_texts, size_text
from ftrun.evaluation.verdict.non_inferiority import power_hint, read_gate, sentence
from ftrun.evaluation.verdict.question_counts import MANY, rounded_up

UNTRAINED = (BASE, "few-shot", "retrieval")
HINT = 10  # questions; what fewer say is a hint
NOTHING_RIGHT = (
    "This does not show who is better. Read some answers: the questions or what they expect may be wrong, "
    "or the task is too hard for this model."
)


def reasons(scores: Scores) -> Iterator[str]:
    """Yield a sentence for each gate that is missed, each comparison, and what would settle it."""
    for gate in scores.gates:
        yield from _gate(scores, gate)
    if scores.metric is None:
        yield "No question says what a good answer is: add `expect` or a reference to some."
        return
    if nothing_right(scores):
        yield NOTHING_RIGHT
        return
    found = list(scores.against())
    if len(scores.candidates) == 1:
        yield "No other candidate answered: add `base` to `eval.models` to see what fine-tuning changed."
    for candidate in list(scores.candidates)[1:]:
        if all(one.b != candidate for one in found):
            yield f"Not compared with {candidate}: no question was scored for both."
    for one in found:
        yield _shown(scores, one)
        if as_good_untrained(scores, one):
            candidate, n = one.b, one.n
            if one.worse:
                yield f"Don't fine-tune for this alone: {candidate} does better without training."
            else:
                yield (
                    f"Don't fine-tune for this alone: {candidate} does as well without training, "
                    f"as far as {n} questions can tell."
                )
    gates = [read_gate(scores, gate) for gate in scores.gates]
    shown = {one.b for one in gates if one is not None and one.shown}
    open_ones = [one for one in found if not one.significant and one.b not in shown]
    if open_ones and not any(one.worse for one in found):
        yield _settled(scores, _closest(open_ones))


def _gate(scores: Scores, gate: GateResult) -> Iterator[str]:
    """Yield whether a gate holds; of one with a margin, what was shown, and what would show it."""
    found = read_gate(scores, gate)
    if gate.passed:
        yield f"Gate passed: {gate.gate}"
    elif found is None or gate.value is None:
        yield gate.reason
    if found is not None and gate.value is not None:
        yield sentence(scores, found)
        hint = power_hint(scores, found)
        yield from () if hint is None else (hint,)


def nothing_right(scores: Scores) -> bool:
    """Return whether every candidate has nothing at all of the metric that the verdict rests on."""
    found = [scores.estimate(name, scores.metric) for name in scores.candidates]
    values = [one.value for one in found if one is not None and one.value is not None]
    return bool(values) and not any(values) and scores.metric not in scores.lower_is_better


def _closest(found: list[Comparison]) -> Comparison:
    """Return the comparison that the verdict waits for: with the base model or, without one, the clearest."""
    return min(found, key=lambda one: (one.b != BASE, -abs(one.difference or 0)))


def _shown(scores: Scores, one: Comparison) -> str:
    """Return what a comparison shows."""
    candidate, key, n = one.b, one.metric, one.n
    if one.low is None or one.high is None or one.difference is None:
        return f"Too few questions to compare with {candidate} in {key}: {n}."
    size = size_text(scores, key, abs(one.difference))
    low, high = range_texts(scores, one)
    if one.better:
        return (
            f"Better than {candidate} in {key} by {size} "
            f"(95 % interval {low} to {high}, {n} question{'' if n == 1 else 's'})."
        )
    if one.worse:
        return (
            f"Worse than {candidate} in {key} by {size} "
            f"(95 % interval {low} to {high}, {n} question{'' if n == 1 else 's'})."
        )
    if one.difference == 0:
        return (
            f"No difference from {candidate} in {key} "
            f"(95 % interval {low} to {high}, {n} question{'' if n == 1 else 's'})."
        )
    if one.difference > 0:
        return (
            f"Better than {candidate} in {key} by {size}, but not significantly "
            f"(95 % interval {low} to {high}, {n} question{'' if n == 1 else 's'})."
        )
    return (
        f"Worse than {candidate} in {key} by {size}, but not significantly "
        f"(95 % interval {low} to {high}, {n} question{'' if n == 1 else 's'})."
    )


def is_untrained(scores: Scores, candidate: str) -> bool:
    """Return whether a candidate is the base model, however it is asked."""
    found, base = scores.candidates.get(candidate), scores.candidates.get(BASE)
    same = found is not None and base is not None and base.model is not None and found.model == base.model
    return candidate in UNTRAINED or same


def as_good_untrained(scores: Scores, one: Comparison) -> bool:
    """Return whether the subject was trained, and a candidate that wasn't does as well or better."""
    trained = not is_untrained(scores, one.a)
    known = one.difference is not None and one.n >= HINT
    return trained and known and is_untrained(scores, one.b) and (one.difference or 0) <= 0


def _settled(scores: Scores, one: Comparison) -> str:
    """Return how many questions would settle a comparison."""
    if one.detectable is None or one.difference is None:
        n = FEWEST_PASSES if one.flips is not None else FEWEST
        if one.n >= n:
            return "More questions would settle it: about 80 detect a difference of 20 points in a pass rate."
        return (
            f"Comparisons need {n} questions or more: "
            f"about 80 detect a difference of 20 points in a pass rate."
        )
    least, candidate = size_text(scores, one.metric, one.detectable), one.b
    more = questions_missing(one)
    if more is None:
        return (
            f"This many questions detect a difference of {least} or more from {candidate}; "
            f"there may be a smaller one."
        )
    return f"About {more} more questions would show whether the difference from {candidate} is real."


def questions_missing(one: Comparison) -> int | None:
    """Return about how many more questions would show a difference of the size that was seen, with a power of
    80 %; None if that would be too many, or no difference was seen.
    """
    if not one.difference or one.detectable is None:
        return None
    needed = one.n * (one.detectable / abs(one.difference)) ** 2
    if needed > MANY:
        return None
    return rounded_up(max(needed - one.n, one.n / 5))
