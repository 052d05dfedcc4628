"""Say metrics, intervals and comparisons in words and numbers for people, for reports and terminal alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ftrun.evaluation.results import PASS_RATE, Comparison, Decision, Estimate, Scores, Verdict
from ftrun.evaluation.verdict.deciding import verdict

NOTHING = "–"
MANY = 100  # answers; from here on a share has a decimal
SCALES: Mapping[str, str] = {  # of files that don't say what their numbers are
    "pass_rate": "share",
    "recall": "share",
    "bleu": "points",
    "chrf": "points",
    "seconds": "seconds",
    "cost_usd": "usd",
}
LESS_IS_BETTER = ("refusals", "seconds", "cost_usd")
# what can be said of any answer; in tables it comes after what judges them
OBSERVED = ("refusals", "distinct_2", "distinct_n", "length", "seconds", "cost_usd")
REHEARSED = "A rehearsal: every stage ran, but nothing was trained."
LABELS: Mapping[Decision, str] = {
    "ship": "✓ ship it",
    "do_not_ship": "✗ don't ship it",
    "not_enough_evidence": "? not enough evidence",
}
MEANINGS: Mapping[str, str] = {
    "pass_rate": "questions whose answer meets every expectation",
    "exact_match": "answers equal to the reference",
    "includes": "answers that contain the reference",
    "chrf": "character sequences shared with the reference, 0-100",
    "bleu": "word sequences shared with the reference, 0-100",
    "rouge_1": "words shared with the reference, 0-1",
    "rouge_2": "word pairs shared with the reference, 0-1",
    "rouge_l": "longest word sequence in common with the reference, 0-1",
    "accuracy": "right labels",
    "precision_macro": "answers with a label that are right; mean over labels",
    "recall_macro": "questions with a label that are found; mean over labels",
    "f1_macro": "harmonic mean of precision and recall; mean over labels",
    "f1_micro": "harmonic mean of precision and recall; over all answers",
    "field_f1": "extracted fields that are right, 0-1",
    "json_valid": "answers that are valid JSON",
    "json_schema": "answers that follow the JSON Schema",
    "numeric": "numbers within the tolerance",
    "tool_call": "expected tool calls made",
    "refusals": "answers that refuse; fewer is better",
    "length": "mean characters per answer",
    "distinct_2": "share of word pairs that are distinct; low means repetitive",
    "seconds": "mean time per answer, with the wait for others asked at the same time; less is better",
    "cost_usd": "mean cost per answer; less is better",
    "general": "general questions passed; shows what was forgotten",
    "recall": "questions from the training data passed",
}


def decided_of(scores: Scores) -> Verdict | None:
    """Return the verdict, also on scores of earlier versions; None if nothing judged the answers."""
    if scores.verdict is not None:
        return scores.verdict
    return None if scores.metric is None else verdict(scores)


def reasons_of(scores: Scores) -> tuple[str, ...]:
    """Return the reasons of the verdict, without the gates that hold: they are listed apart."""
    held = {f"Gate passed: {gate.gate}" for gate in scores.gates}
    decided = decided_of(scores)
    return tuple(reason for reason in decided.reasons if reason not in held) if decided else ()


def metric_names(scores: Scores) -> list[str]:
    """Return all metrics: the main one, others that judge answers, those of the sets that are apart, and then
    what can be said of any answer.
    """
    found = {
        name: None
        for one in scores.candidates.values()
        for name, estimate in one.metrics.items()
        if name != "cost_usd" or estimate.value  # on this machine answers are free
    }
    places = {name: place for place, name in enumerate(("general", "recall", *OBSERVED), 1)}
    return sorted(found, key=lambda name: (name != scores.metric, places.get(name, 0)))


def scale_of(scores: Scores, metric: str) -> str:
    """Return what the numbers of a metric are: share, points, number, seconds or usd."""
    return scores.scales.get(metric) or SCALES.get(metric, "number")


def less_is_better(scores: Scores, metric: str) -> bool:
    """Return whether a metric is better the lower it is."""
    return metric in (scores.lower_is_better or LESS_IS_BETTER)


def shown(scores: Scores, metric: str, value: float | None, *, n: int = 0) -> str:
    """Return a value of a metric; `n` is from how many answers it is."""
    if value is None or not math.isfinite(value):
        return NOTHING
    scale = scale_of(scores, metric)
    if scale == "share":
        return f"{value:.1%}" if n >= MANY else f"{value:.0%}"
    if scale == "usd":
        return f"US${value:.2g}" if 0 < value < 1 else f"US${value:,.2f}"
    if scale == "seconds":
        return f"{value:.2g} s" if value < 10 else f"{value:,.0f} s"
    return f"{value:.1f}" if scale == "points" else f"{value:.2f}" if abs(value) < 10 else f"{value:,.0f}"


def interval(scores: Scores, metric: str, estimate: Estimate) -> str | None:
    """Return the 95 % interval of an estimate such as `75% - 89%`; None where there is none."""
    if estimate.low is None or estimate.high is None:
        return None
    return " - ".join(shown(scores, metric, end, n=estimate.n) for end in (estimate.low, estimate.high))


def size(scores: Scores, metric: str, value: float, *, n: int = 0) -> str:
    """Return the size of a difference without its sign; shares differ by percentage points."""
    if scale_of(scores, metric) == "share":
        return f"{100 * abs(value):.1f}" if n >= MANY else f"{100 * abs(value):.0f}"
    return shown(scores, metric, abs(value), n=n)


def difference(scores: Scores, metric: str, value: float | None, *, n: int = 0) -> str:
    """Return a signed difference."""
    if value is None or not math.isfinite(value):
        return NOTHING
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return f"{sign}{size(scores, metric, value, n=n)}"


def probability(p: float | None) -> str:
    """Return a p-value."""
    if p is None:
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def in_words(scores: Scores, one: Comparison) -> str:
    """Return what a comparison shows, in one sentence."""
    candidate, candidate_2 = one.a, one.b
    if one.difference is None:
        return f"No question was scored for both {candidate} and {candidate_2}."
    if one.low is None or one.high is None or one.p is None:
        return f"Too few questions to tell {candidate} and {candidate_2} apart."
    unit = " points" if scale_of(scores, one.metric) in ("share", "points") else ""
    amount = f"{size(scores, one.metric, one.difference, n=one.n)}{unit}"
    if one.better:
        return f"{candidate} is significantly better than {candidate_2}, by {amount}."
    if one.worse:
        return f"{candidate} is significantly worse than {candidate_2}, by {amount}."
    if one.detectable is None:
        return f"No significant difference between {candidate} and {candidate_2}."
    amount = f"{size(scores, one.metric, one.detectable, n=one.n)}{unit}"
    return (
        f"No significant difference between {candidate} and {candidate_2}; "
        f"this many questions would detect one of {amount} or more."
    )


def same_n(scores: Scores) -> int | None:
    """Return from how many answers all metrics are; None if they differ."""
    found = {one.n for result in scores.candidates.values() for one in result.metrics.values()}
    return found.pop() if len(found) == 1 else None


def ranked_parts(scores: Scores) -> list[tuple[str, dict[str, Estimate]]]:
    """Return the parts (sets and tags) of all candidates, each with the main metric's estimate of every
    candidate that has it. A part without that metric shows its pass rate.
    """
    names = dict.fromkeys(name for one in scores.candidates.values() for name in one.parts)
    rows = []
    for name in names:
        row = {}
        for candidate, result in scores.candidates.items():
            estimate = result.parts.get(name, {}).get(part_metric(scores, name) or "")
            if estimate is not None:
                row[candidate] = estimate
        if row:
            rows.append((name, row))
    return rows


def part_metric(scores: Scores, part: str) -> str | None:
    """Return the metric that a part is shown by: the main one or, where it has none, its pass rate, or else
    its first that judges.
    """
    metrics: Sequence[str] = [name for one in scores.candidates.values() for name in one.parts.get(part, {})]
    judging = (name for name in metrics if name not in OBSERVED)
    return next((name for name in (scores.metric, PASS_RATE) if name in metrics), next(judging, None))


def too_few(metric: str, estimate: Estimate) -> bool:
    """Return whether there are too few answers for an interval, which this metric would have."""
    return estimate.low is None and estimate.value is not None and not metric.startswith("distinct_")
