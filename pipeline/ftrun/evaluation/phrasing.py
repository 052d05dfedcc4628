"""Say metrics, intervals and comparisons in words and numbers for people, for reports and terminal alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ftrun.evaluation.results import Comparison, Estimate, Scores

NOTHING = "–"
SIGNIFICANT = 0.05  # adjusted p-values below it are called significant
MANY = 100  # answers; from here on a share has a decimal
Kind = Literal["rate", "points", "ratio", "number", "seconds", "usd"]
RATES = frozenset(
    ("pass_rate", "exact_match", "includes", "accuracy", "json_valid", "json_schema", "numeric")
    + ("tool_call", "refusals", "general", "recall")
)
OTHERS: Mapping[str, Kind] = {
    "bleu": "points",
    "chrf": "points",
    "length": "number",
    "seconds": "seconds",
    "cost_usd": "usd",
}
RATIOS = ("rouge_", "precision", "recall_", "f1", "field_f1", "distinct_", "similarity")
LESS_IS_BETTER = frozenset(("refusals", "seconds", "cost_usd"))
EFFORT = ("length", "seconds", "cost_usd")  # what answers take, which is no judgement of them
MEANINGS: Mapping[str, str] = {
    "pass_rate": "questions whose answer fulfils all that is expected",
    "exact_match": "answers equal to the reference",
    "includes": "answers that contain the reference",
    "chrf": "shared character sequences with the reference, 0-100",
    "bleu": "shared word sequences with the reference, 0-100",
    "rouge_1": "shared words with the reference, 0-1",
    "rouge_2": "shared word pairs with the reference, 0-1",
    "rouge_l": "longest common word sequence with the reference, 0-1",
    "accuracy": "right labels",
    "precision_macro": "of the answers with a label, how many are right; mean over labels",
    "recall_macro": "of the questions with a label, how many are found; mean over labels",
    "f1_macro": "precision and recall in one; mean over labels",
    "f1_micro": "precision and recall in one; over all answers",
    "field_f1": "extracted fields that are right, 0-1",
    "json_valid": "answers that are valid JSON",
    "json_schema": "answers that follow the JSON Schema",
    "numeric": "numbers within the tolerance",
    "tool_call": "expected tool calls made",
    "refusals": "answers that refuse; fewer is better",
    "length": "mean characters per answer",
    "distinct_2": "different word pairs among all; low means repetitive",
    "seconds": "mean time per answer; less is better",
    "cost_usd": "mean price per answer; less is better",
    "general": "general questions passed: what was not forgotten",
    "recall": "questions from the training data passed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The questions that `a` passes and `b` doesn't (`fixed`), and the other way round (`broken`)."""

    a: str
    b: str
    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    same: int

    @property
    def kinds(self) -> dict[str, str]:
        """Return fixed or broken for each question that changed."""
        return {**dict.fromkeys(self.fixed, "fixed"), **dict.fromkeys(self.broken, "broken")}


NO_CHANGES = Changes(a="", b="", fixed=(), broken=(), same=0)


def subject(scores: Scores) -> str | None:
    """Return the candidate that the verdict is about."""
    return next(iter(scores.candidates), None)


def changes(scores: Scores) -> Changes | None:
    """Return what changed most tellingly: against the base model if it was asked, by the main metric if that
    is passed or failed. None where no comparison has flips.
    """
    found = [one for one in scores.comparisons if one.flips is not None]
    if not found:
        return None
    one = min(
        found, key=lambda one: (one.a != subject(scores), one.b != "base", one.metric != scores.metric)
    )
    assert one.flips is not None
    return Changes(
        a=one.a, b=one.b, fixed=one.flips.fixed, broken=one.flips.broken, same=one.flips.same
    )


def metric_names(scores: Scores) -> list[str]:
    """Return all metrics, the main one first and what answers took last."""
    found = dict.fromkeys(name for one in scores.candidates.values() for name in one.metrics)
    return sorted(found, key=lambda name: (name != scores.metric, name in EFFORT))


def kind_of(metric: str) -> Kind:
    """Return how values of a metric are written."""
    if metric in RATES:
        return "rate"
    if metric.startswith(RATIOS):
        return "ratio"
    return OTHERS.get(metric, "number")


def shown(metric: str, value: float | None, *, n: int = 0) -> str:
    """Return a value of a metric; `n` is from how many answers it is."""
    if value is None or not math.isfinite(value):
        return NOTHING
    kind = kind_of(metric)
    if kind == "rate":
        return f"{value:.1%}" if n >= MANY else f"{value:.0%}"
    if kind == "usd":
        return f"US${value:.2g}" if 0 < value < 1 else f"US${value:,.2f}"
    if kind == "seconds":
        return f"{value:.2g} s" if value < 10 else f"{value:,.0f} s"
    if kind == "points":
        return f"{value:.1f}"
    return f"{value:.2f}" if kind == "ratio" or abs(value) < 10 else f"{value:,.0f}"


def interval(metric: str, estimate: Estimate) -> str | None:
    """Return the 95 % interval of an estimate such as `75%-89%`; None where there is none."""
    if estimate.low is None or estimate.high is None:
        return None
    ends = (shown(metric, end, n=estimate.n) for end in (estimate.low, estimate.high))
    return " - ".join(ends)


def difference(metric: str, value: float | None, *, n: int = 0) -> str:
    """Return a signed difference; shares differ by percentage points."""
    if value is None or not math.isfinite(value):
        return NOTHING
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    if kind_of(metric) == "rate":
        size = 100 * abs(value)
        return f"{sign}{size:.1f}" if n >= MANY else f"{sign}{size:.0f}"
    return f"{sign}{shown(metric, abs(value), n=n)}"


def probability(p: float | None) -> str:
    """Return a p-value."""
    if p is None:
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def points(metric: str) -> str:
    """Return the unit of a difference, with a space before it."""
    return " points" if kind_of(metric) in ("rate", "points") else ""


def in_words(one: Comparison) -> str:
    """Return what a comparison shows, in one sentence."""
    by = f"{difference(one.metric, one.difference, n=one.n)}{points(one.metric)}"
    if one.difference is None:
        return f"No question was scored for both {one.a} and {one.b}."
    if one.low is None or one.high is None or one.p is None:
        return f"Too few questions to tell {one.a} and {one.b} apart."
    if one.p < SIGNIFICANT:
        if one.difference > 0:
            return f"{one.a} is better than {one.b} by {by}; chance hardly explains it."
        return f"{one.a} is worse than {one.b} by {by}; chance hardly explains it."
    if one.detectable is None:
        return f"No clear difference between {one.a} and {one.b}: chance may explain it."
    size = f"{difference(one.metric, one.detectable, n=one.n)[1:]}{points(one.metric)}"
    return f"No clear difference between {one.a} and {one.b}: so many questions show one of about {size} or more."


def ranked_parts(scores: Scores) -> list[tuple[str, dict[str, Estimate]]]:
    """Return the parts (sets and tags) of all candidates, each with the main metric's estimate of every
    candidate that has it. A part without that metric shows its pass rate.
    """
    names = dict.fromkeys(name for one in scores.candidates.values() for name in one.parts)
    rows = []
    for name in names:
        row = {}
        for candidate, result in scores.candidates.items():
            found = result.parts.get(name, {})
            estimate = found.get(part_metric(scores, name) or "")
            if estimate is not None:
                row[candidate] = estimate
        if row:
            rows.append((name, row))
    return rows


def part_metric(scores: Scores, part: str) -> str | None:
    """Return the metric that a part is shown by: the main one or, where it has none, its first."""
    metrics: Sequence[str] = [
        name for one in scores.candidates.values() for name in one.parts.get(part, {})
    ]
    return scores.metric if scores.metric in metrics else next(iter(metrics), None)


def too_few(metric: str, estimate: Estimate) -> bool:
    """Return whether there are too few answers for an interval, which this metric would have."""
    return estimate.low is None and estimate.value is not None and not metric.startswith("distinct_")
