"""Gates of the form `tuned.M >= old.M - MARGIN @95%`, read as what they test: is one model at most a margin
worse than another? What was shown of it, in one sentence, and how small a margin so many questions can show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ftrun.evaluation.results import Comparison, GateResult, Scores
from ftrun.evaluation.statistics.proportions import POWER, critical, tango
from ftrun.evaluation.verdict.metric_texts import range_texts, size_text
from ftrun.evaluation.verdict.question_counts import MANY, rounded_up
from ftrun.experiment.gates import Gate, parse_gate

Result = Literal["shown", "worse", "not_shown", "too_few"]
LEVEL = 0.95
# from half of an interval to the margin that equal models show four times out of five
PLANNED = 1 + critical(2 * POWER - 1) / critical(LEVEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class NonInferiority:
    """What a gate showed: `difference`, `low` and `high` say how much better `a` is than `b` (negative:
    worse), without the margin; None where there are too few questions. `n` is how many questions both
    answered, `binary` says that each is passed or failed.
    """

    gate: str
    a: str
    b: str
    metric: str
    margin: float
    level: float
    shown: bool
    n: int
    binary: bool = False
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def result(self) -> Result:
        """Return what was shown: that `a` is no more than the margin worse, that it is worse, or nothing."""
        if self.shown:
            return "shown"
        if self.low is None or self.high is None:
            return "too_few"
        return "worse" if self.high < 0 else "not_shown"

    @property
    def smallest(self) -> float | None:
        """Return the smallest margin that so many questions show four times out of five where both models are
        equally good, if answers differ as much as these; None if there are too few.
        """
        return None if self.low is None or self.high is None else PLANNED * (self.high - self.low) / 2

    @property
    def needed(self) -> int | None:
        """Return about how many questions would show this margin, where both models are equally good; None if
        that can't be said, or nobody writes so many.
        """
        least = self.smallest
        if least is None or not self.n:
            return None
        number = self.n * (least / self.margin) ** 2
        return None if number > MANY else rounded_up(number)

    def as_dict(self) -> dict[str, Any]:
        """Return it as in `port --json`."""
        names = (
            "a",
            "b",
            "metric",
            "margin",
            "difference",
            "low",
            "high",
            "n",
            "shown",
            "result",
            "smallest",
        )
        return {name: getattr(self, name) for name in names}


def non_inferiorities(scores: Scores) -> Iterator[NonInferiority]:
    """Yield what each gate of this form showed."""
    for result in scores.gates:
        found = read_gate(scores, result)
        if found is not None:
            yield found


def read_gate(scores: Scores, result: GateResult) -> NonInferiority | None:
    """Return what a gate showed; None if it doesn't ask whether one model is at most a margin worse."""
    try:
        gate = parse_gate(result.gate)
    except ValueError:  # written by another version
        return None
    sides = _sides(gate, less=gate.left.metric in scores.lower_is_better)
    if sides is None:
        return None
    a, b, margin = sides
    offset, turned = gate.left.number - gate.right.number, gate.left.candidate != a
    turned ^= gate.left.metric in scores.lower_is_better
    compared = scores.comparison(b, gate.left.metric) if a == scores.subject else None
    low, high = (None if end is None else end - offset for end in (result.low, result.high))
    value = None if result.value is None else result.value - offset
    if turned:
        low, high, value = _turned(high), _turned(low), _turned(value)
    return NonInferiority(
        gate=result.gate,
        a=a,
        b=b,
        metric=str(gate.left.metric),
        margin=margin,
        level=gate.level or 0,
        shown=result.passed,
        binary=compared is not None and compared.flips is not None,
        n=_questions(scores, compared, a, b, str(gate.left.metric)),
        difference=value,
        low=low,
        high=high,
    )


def _sides(gate: Gate, *, less: bool) -> tuple[str, str, float] | None:
    """Return who must be at most how much worse than whom; None if the gate is about something else."""
    left, right = gate.left, gate.right
    if gate.level is None or left.candidate is None or right.candidate is None or left.metric != right.metric:
        return None
    offset = round(left.number - right.number, 9)
    upward = gate.op in (">", ">=")  # the left side must be at least the right one
    margin = offset if upward else -offset
    if margin <= 0 or left.candidate == right.candidate:
        return None
    # where less is better, the side that must not be much more is the one that is claimed to be as good
    better_left = upward != less
    return (
        (left.candidate, right.candidate, margin)
        if better_left
        else (right.candidate, left.candidate, margin)
    )


def _questions(scores: Scores, compared: Comparison | None, a: str, b: str, metric: str) -> int:
    if compared is not None:
        return compared.n
    found = [scores.estimate(name, metric) for name in (a, b)]
    return min((0 if one is None else one.n for one in found), default=0)


def _turned(value: float | None) -> float | None:
    return None if value is None else 0.0 - value


def smallest_of_alike(n: int, level: float = LEVEL) -> float | None:
    """Return the smallest margin in a pass rate that `n` questions could show even if both models passed
    exactly the same ones; None without questions.
    """
    return None if n < 1 else -tango(0, 0, n, level)[0]


def needed_of_alike(margin: float, level: float = LEVEL) -> int:
    """Return how many questions show this margin in a pass rate if both models pass exactly the same ones."""
    square = critical(level) ** 2
    return math.ceil(round(square * (1 - margin) / margin, 6))


def sentence(scores: Scores, one: NonInferiority) -> str:
    """Return what was shown."""
    a, b, key, n = one.a, one.b, one.metric, one.n
    margin, level = size_text(scores, key, one.margin), f"{one.level:g}"
    if one.low is None or one.high is None:
        return (
            f"Not shown that {a} is at most {margin} worse than {b} in {key}: "
            f"too few questions for an interval ({n})."
        )
    low, high = _range(scores, one)
    if one.result == "shown":
        return (
            f"Shown: {a} is at most {margin} worse than {b} in {key} "
            f"({level} % interval of the difference {low} to {high}, {n} questions)."
        )
    if one.high is not None and one.high < -one.margin:
        return (
            f"Worse: {a} is more than {margin} worse than {b} in {key} "
            f"({level} % interval of the difference {low} to {high}, {n} questions)."
        )
    if one.result == "worse":
        return (
            f"Worse: {a} is worse than {b} in {key}, and not shown to be at most {margin} worse "
            f"({level} % interval of the difference {low} to {high}, {n} questions)."
        )
    return (
        f"Not shown that {a} is at most {margin} worse than {b} in {key} "
        f"({level} % interval of the difference {low} to {high}, {n} questions)."
    )


def power_hint(scores: Scores, one: NonInferiority) -> str | None:
    """Return how small a margin so many questions can show, where this one was not; None if that is not what
    was missing.
    """
    n, margin = one.n, size_text(scores, one.metric, one.margin)
    if one.result == "too_few" and one.binary:
        least_needed = needed_of_alike(one.margin)
        return (
            f"A margin of {margin} needs at least {least_needed:,} questions, even if both pass the same "
            "ones."
        )
    if one.result != "not_shown" or one.smallest is None or one.smallest <= one.margin:
        return None
    least, needed = size_text(scores, one.metric, one.smallest), one.needed
    if needed is None:
        return f"With {n} questions the smallest margin that could be shown is about {least}."
    return (
        f"With {n} questions the smallest margin that could be shown is about {least}; "
        f"a margin of {margin} needs about {needed:,} questions."
    )


def _range(scores: Scores, one: NonInferiority) -> tuple[str, str]:
    """Return the ends of the interval, the second with its unit: positive where `a` is better."""
    low, high = one.low or 0.0, one.high or 0.0
    compared = Comparison(
        a=one.a, b=one.b, metric=one.metric, difference=1.0, low=low, high=high, p=None, n=one.n, flips=None
    )
    return range_texts(scores, compared)
