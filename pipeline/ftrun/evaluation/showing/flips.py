"""What changed from one candidate to another, question by question: what was fixed and what was broken or,
where answers have scores instead of a mark, which ones gained and lost most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ftrun.evaluation.answers import Record
from ftrun.evaluation.results import BASE, Comparison, Scores
from ftrun.evaluation.showing import phrasing
from ftrun.scoring.scorers import METRICS

Value = float | None
APART = ("recall", "general")  # sets that are not what the verdict rests on


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The questions that `a` passes and `b` doesn't (`fixed`), and the other way round (`broken`).

    With `values`, the scores by question and candidate, nothing is passed or failed: `fixed` are the
    questions on which `a` scores higher, the largest gain first, `broken` those on which it scores lower.
    `trained`: fine-tuning can be the reason; else `a` and `b` are two ways of asking that stand side by side.
    """

    a: str
    b: str
    metric: str
    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    same: int
    values: Mapping[tuple[str, str], str] = field(default_factory=dict)
    trained: bool = True

    @property
    def title(self) -> str:
        """Return the heading of what changed."""
        return "What changed" if self.trained else "What to beat"

    @property
    def kinds(self) -> dict[str, str]:
        """Return fixed or broken for each question that fine-tuning turned from failed to passed, or back."""
        if self.values or not self.trained:
            return {}
        return {**dict.fromkeys(self.fixed, "fixed"), **dict.fromkeys(self.broken, "broken")}

    @property
    def telling(self) -> tuple[str, ...]:
        """Return the questions that changed, the broken ones first."""
        return (*self.broken, *self.fixed)

    def label(self, kind: str) -> str:
        """Return the words for the questions of a kind (fixed or broken)."""
        better = kind == "fixed"
        if not self.trained and not self.values:
            candidate = self.a if better else self.b
            return f"only {candidate}"
        if self.values:
            return "better" if better else "worse"
        return "fixed" if better else "broken"

    def mark(self, record: Record) -> str:
        """Return the score of an answer, or whether it passes."""
        if self.values:
            return self.values.get((record.prompt_id, record.candidate), "")
        return {True: "✓", False: "✗"}.get(record.passed, "") if record.passed is not None else ""

    @property
    def sentence(self) -> str:
        """Return how much changed."""
        candidate, candidate_2, metric = self.a, self.b, self.metric
        fixed, broken, same = len(self.fixed), len(self.broken), self.same
        if self.values:
            return (
                f"{candidate} scores higher than {candidate_2} in {metric} on {fixed:,} "
                f"question{'' if fixed == 1 else 's'}, lower on {broken:,}, the same on {same:,}."
            )
        return (
            f"{candidate} passes {fixed:,} that {candidate_2} fails, and fails {broken:,} that it passes; "
            f"{same:,} {'has' if same == 1 else 'have'} the same result."
        )


def all_changes(scores: Scores, records: Sequence[Record] = ()) -> tuple[Changes, ...]:
    """Return what changed most tellingly or, where the base model is the subject, what each of the others
    answers better and worse than it does: the base model itself changes nothing.
    """
    if scores.subject != BASE:
        one = changes(scores, records)
        return () if one is None else (one,)
    found = (_beside_base(scores, records, name) for name in scores.candidates if name != BASE)
    return tuple(one for one in found if one is not None)


def _beside_base(scores: Scores, records: Sequence[Record], name: str) -> Changes | None:
    """Return what a candidate answers better and worse than the base model; None if nothing."""
    compared = next((one for one in scores.against() if one.b == name), None)
    if compared is None or compared.flips is None:
        graded = _graded(scores, records, name, BASE)
        return None if graded is None else replace(graded, trained=False)
    same = flipped(compared)
    if same is None:
        return None
    return replace(same, a=name, b=BASE, fixed=same.broken, broken=same.fixed, trained=False)


def changes(scores: Scores, records: Sequence[Record] = ()) -> Changes | None:
    """Return what changed most tellingly: against the base model if it was asked, by the main metric. None if
    nothing changed.
    """
    found = [one for one in scores.comparisons if one.flips is not None]
    main = [one for one in found if one.metric == scores.metric]
    others = [name for name in scores.candidates if name != scores.subject]
    other = BASE if BASE in others else next(iter(others), None)
    graded = None if main else _graded(scores, records, scores.subject, other)
    if graded is not None:
        return graded
    one = min(main or found, key=lambda one: (one.a != scores.subject, one.b != BASE), default=None)
    return None if one is None else flipped(one)


def flipped(one: Comparison) -> Changes | None:
    """Return which questions a comparison finds fixed and broken; None if there are none."""
    flips = one.flips
    if flips is None or not (flips.fixed or flips.broken):
        return None
    return Changes(
        a=one.a, b=one.b, metric=one.metric, fixed=flips.fixed, broken=flips.broken, same=flips.same
    )


def about_task(records: Sequence[Record]) -> Sequence[Record]:
    """Return the answers that the main metrics are over: recall and general questions are apart, unless
    there are no others.
    """
    return [one for one in records if one.set not in APART and not one.recall] or records


def _graded(scores: Scores, records: Sequence[Record], a: str | None, b: str | None) -> Changes | None:
    """Return which questions gained and lost from b to a by the main metric's score of each answer."""
    metric = scores.metric
    if a is None or b is None or metric is None:
        return None
    scorer = next((name for name, metrics in METRICS.items() if metric in metrics), metric)
    records = about_task(records)
    values = {
        (one.prompt_id, one.candidate): value
        for one in reversed(records)  # the first of several answers counts
        if one.candidate in (a, b) and (value := _value(one, scorer)) is not None
    }
    sign = -1 if phrasing.less_is_better(scores, metric) else 1
    gains = {
        name: sign * (values[name, a] - values[name, b])
        for name in dict.fromkeys(one.prompt_id for one in records)
        if (name, a) in values and (name, b) in values
    }
    ranked = sorted(gains, key=lambda name: -gains[name])
    if not any(gains.values()):
        return None
    return Changes(
        a=a,
        b=b,
        metric=metric,
        fixed=tuple(name for name in ranked if gains[name] > 0),
        broken=tuple(name for name in reversed(ranked) if gains[name] < 0),
        same=sum(not gain for gain in gains.values()),
        values={}
        if set(values.values()) <= {0.0, 1.0}  # single answers are right or wrong, as with labels
        else {key: phrasing.shown(scores, metric, value) for key, value in values.items()},
    )


def _value(record: Record, scorer: str) -> Value:
    value = record.scores.get(scorer, {}).get("value")
    return float(value) if isinstance(value, int | float) else None
