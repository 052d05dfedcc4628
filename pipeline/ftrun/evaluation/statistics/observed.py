"""What scorers found, per question: the sums that metrics, their intervals and comparisons are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ftrun.evaluation.answers import Record, facts_of
from ftrun.scoring.expect import judge
from ftrun.scoring.types import Answer, Metric, Sample, Score, Scorer

Key = tuple[str, str]  # candidate, metric
Sparse = Mapping[
    int, float
]  # the numbers that aren't 0 by their place: a confusion matrix has one in thousands


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A metric of a candidate. `totals` has of each question the sum of its answers' values, and how many
    there are; `group` the group that each question belongs to (its own, where it stands alone).

    A metric that isn't the mean of values is computed from `statistics`: of each question the sum of its
    answers' statistics, of which there are `width`.
    """

    candidate: str
    metric: Metric
    totals: Mapping[str, tuple[float, float]]
    group: Mapping[str, str]
    statistics: Mapping[str, Sparse] | None = None
    width: int = 0

    @property
    def key(self) -> Key:
        """Return the names of the candidate and the metric."""
        return self.candidate, self.metric.name

    @property
    def is_mean(self) -> bool:
        """Return whether the metric is the mean of the answers' values."""
        return self.statistics is None

    def among(self, ids: Collection[str]) -> Observed:
        """Return what was found for some questions."""
        kept = {name: one for name, one in self.totals.items() if name in ids}
        return self if len(kept) == len(self.totals) else replace(self, totals=kept)

    @property
    def groups(self) -> int:
        """Return how many independent groups there are."""
        return len({self.group[name] for name in self.totals})

    @property
    def single(self) -> bool:
        """Return whether every question stands alone and has one answer."""
        return self.groups == len(self.totals) and all(count == 1 for _, count in self.totals.values())

    def means(self) -> dict[str, float]:
        """Return the mean of each question's answers."""
        return {name: total / count for name, (total, count) in self.totals.items()}


@dataclass(slots=True, kw_only=True)
class Scored:
    """All records with their scores, and what each candidate's answers gave in each metric."""

    records: list[Record] = field(default_factory=list)
    observed: dict[Key, Observed] = field(default_factory=dict)


def score_all(
    records: Iterable[Record],
    samples: Mapping[str, Sample],
    scorers: Sequence[Scorer],
    usd: Callable[[Record], float | None],
) -> Scored:
    """Score every record. Those of questions that are not among the samples stay as they are."""
    scored = Scored()
    group = {name: one.cluster or f"\0{name}" for name, one in samples.items()}
    found: dict[tuple[str, str], _Found] = {}
    for record in records:
        sample = samples.get(record.prompt_id)
        scores = {} if sample is None else dict(_scores(scorers, sample, _answer(record, usd(record))))
        scored.records.append(record if sample is None else _with(record, sample, scores))
        for name, score in scores.items():
            found.setdefault((record.candidate, name), _Found()).add(record.prompt_id, score)
    for (candidate, name), one in found.items():
        for metric in next(scorer.metrics for scorer in scorers if scorer.name == name):
            observed = one.observed(candidate, metric, group)
            scored.observed[observed.key] = observed
    return scored


@dataclass(slots=True)
class _Found:
    """What one scorer found in a candidate's answers: each question's values, and its statistics added up."""

    values: dict[str, list[float]] = field(default_factory=dict)
    statistics: dict[str, dict[int, float]] = field(default_factory=dict)
    width: int = 0

    def add(self, question: str, score: Score) -> None:
        """Add an answer's score."""
        if score.value is not None:
            self.values.setdefault(question, []).append(score.value)
        if len(score.statistics):
            self.width = len(score.statistics)
            sums = self.statistics.setdefault(question, {})
            for place, number in enumerate(score.statistics):
                if number:
                    sums[place] = sums.get(place, 0.0) + number

    def observed(self, candidate: str, metric: Metric, group: Mapping[str, str]) -> Observed:
        """Return a metric of these scores: a mean where it says so, or where there is only the value."""
        column: int | None = getattr(metric, "column", None)
        if self.width and column is not None:
            last = self.width - 1
            totals = {
                name: (sums.get(column, 0.0), sums[last])
                for name, sums in self.statistics.items()
                if last in sums
            }
        else:
            totals = {name: (math.fsum(values), float(len(values))) for name, values in self.values.items()}
        of_sums = self.width > 0 and column is None and not metric.binary
        if of_sums:
            totals = {name: totals.get(name, (0.0, 1.0)) for name in self.statistics}
        return Observed(
            candidate=candidate,
            metric=metric,
            totals=totals,
            group=group,
            statistics=self.statistics if of_sums else None,
            width=self.width,
        )


def _answer(record: Record, usd: float | None) -> Answer:
    return Answer(
        text=record.answer,
        tool_calls=record.tool_calls,
        refusal=record.refusal,
        usage=record.usage,
        seconds=record.seconds or None,  # recorded answers may not say
        usd=usd,
    )


def _scores(scorers: Sequence[Scorer], sample: Sample, answer: Answer) -> Iterator[tuple[str, Score]]:
    for scorer in scorers:
        found = scorer.score(sample, answer)
        if found is not None:
            yield scorer.name, found


def _with(record: Record, sample: Sample, scores: Mapping[str, Score]) -> Record:
    facts = facts_of(sample)
    judgement = judge(sample.expect, record.answer, record.tool_calls)
    return replace(
        record,
        **{**facts, "recall": record.recall or facts["recall"]},
        passed=judgement.passed,
        failures=judgement.failures,
        scores={name: {"value": one.value, "explanation": one.explanation} for name, one in scores.items()},
    )
