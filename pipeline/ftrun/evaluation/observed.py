"""What scorers found, per question: the sums that metrics, their intervals and comparisons are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ftrun.evaluation.answers import Record
from ftrun.scoring.expect import judge
from ftrun.scoring.types import Answer, Metric, Sample, Score, Scorer

Key = tuple[str, str]  # candidate, metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A metric of a candidate. `sums` has each question's statistics, added up over its answers; `group`
    the group that each question belongs to (its own, where it stands alone). `column`: the metric is the mean
    of this statistic, and the last one counts; None: it is a function of all sums.
    """

    candidate: str
    metric: Metric
    sums: Mapping[str, Sequence[float]]
    group: Mapping[str, str]
    column: int | None

    @property
    def key(self) -> Key:
        """Return the names of the candidate and the metric."""
        return self.candidate, self.metric.name

    def among(self, ids: Collection[str]) -> Observed:
        """Return what was found for some questions."""
        kept = {name: self.sums[name] for name in ids if name in self.sums}
        return self if len(kept) == len(self.sums) else replace(self, sums=kept)

    @property
    def groups(self) -> int:
        """Return how many independent groups there are."""
        return len({self.group[name] for name in self.sums})

    @property
    def single(self) -> bool:
        """Return whether every question stands alone and has one answer."""
        return self.groups == len(self.sums) and all(one[-1] == 1 for one in self.sums.values())

    def means(self) -> dict[str, float]:
        """Return the mean of each question's answers; for metrics that are means."""
        assert self.column is not None
        return {name: one[self.column] / one[-1] for name, one in self.sums.items()}


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
    rows: dict[tuple[str, str], dict[str, list[Sequence[float]]]] = {}
    summed = set[str]()  # scorers with statistics of their own
    for record in records:
        sample = samples.get(record.prompt_id)
        scores = {} if sample is None else dict(_scores(scorers, sample, _answer(record, usd(record))))
        scored.records.append(record if sample is None else _with(record, sample, scores))
        for name, score in scores.items():
            if len(score.statistics):
                summed.add(name)
            if len(score.statistics) or score.value is not None:
                statistics = score.statistics if len(score.statistics) else (score.value or 0.0, 1.0)
                of_candidate = rows.setdefault((record.candidate, name), {})
                of_candidate.setdefault(record.prompt_id, []).append(statistics)
    group = {name: one.cluster or f"\0{name}" for name, one in samples.items()}
    for (candidate, name), found in rows.items():
        sums = {question: _added(several) for question, several in found.items()}
        for metric in next(one.metrics for one in scorers if one.name == name):
            column = _column(metric, name in summed)
            one = Observed(candidate=candidate, metric=metric, sums=sums, group=group, column=column)
            scored.observed[one.key] = one
    return scored


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
    judgement = judge(sample.expect, record.answer, record.tool_calls)
    return replace(
        record,
        expect=sample.expect,
        reference=sample.reference,
        set=sample.set,
        tags=sample.tags,
        cluster=sample.cluster,
        recall=record.recall or sample.set == "recall",
        passed=judgement.passed,
        failures=judgement.failures,
        scores={name: {"value": one.value, "explanation": one.explanation} for name, one in scores.items()},
    )


def _added(rows: Sequence[Sequence[float]]) -> Sequence[float]:
    return rows[0] if len(rows) == 1 else [sum(values) for values in zip(*rows, strict=True)]


def _column(metric: Metric, summed: bool) -> int | None:
    """Return which statistic the metric is the mean of: it says so, or there is only the value to average."""
    found: int | None = getattr(metric, "column", None if summed and not metric.binary else 0)
    return found
