"""Score all answers, add up, compare, check the gates and decide: from records to what scores.json holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ftrun.errors import ConfigError
from ftrun.evaluation.answers import Record
from ftrun.evaluation.results import PASS_RATE, CandidateResult, Estimate, Scores
from ftrun.evaluation.statistics.comparisons import compared
from ftrun.evaluation.statistics.confusion import confusions
from ftrun.evaluation.statistics.estimates import estimated
from ftrun.evaluation.statistics.observed import Key, Observed, score_all
from ftrun.evaluation.statistics.resampling import Resampling
from ftrun.evaluation.verdict.cautions import cautions, degenerate_answers
from ftrun.evaluation.verdict.deciding import verdict
from ftrun.evaluation.verdict.gate_checks import check_gates, gate_results
from ftrun.scoring.matches import Expectations
from ftrun.scoring.metrics import share
from ftrun.scoring.scorers import FREE, led_by
from ftrun.scoring.types import Metric, Sample, Scorer

MAIN = ("prompts", "test")  # the sets that main metrics are over
APART = ("recall", "general")  # sets whose pass rates are metrics of these names
EXPECT = Expectations()


def evaluate(
    *,
    experiment: str,
    target: str,
    samples: Sequence[Sample],
    records: Sequence[Record],
    candidates: Sequence[str],
    models: Mapping[str, str | None],
    scorers: Sequence[Scorer],
    metric: str | None = None,
    gates: Sequence[str] = (),
    usd: Callable[[Record], float | None] = lambda record: None,
) -> tuple[Scores, list[Record]]:
    """Return what the answers are worth, and the records with their scores.

    `candidates` are in the order of the experiment file, the subject first; `usd` says what an answer cost.
    ConfigError for a metric or a gate that can't be decided.
    """
    scorers = complete(scorers, samples)
    metric = check(samples=samples, candidates=candidates, scorers=scorers, metric=metric, gates=gates)
    scorers = [led_by(one, metric) for one in scorers]
    metrics, known = metrics_of(scorers, samples), {one.id: one for one in samples}
    scored = score_all(records, known, scorers, usd)
    sets = Sets(samples)
    everything = {**scored.observed, **_apart(scored.observed, sets)}
    resampling = Resampling(everything)
    main = {key: _restricted(one, sets) for key, one in everything.items()}
    main = {key: one for key, one in main.items() if one.totals}
    answered = {name: {one.prompt_id for one in records if one.candidate == name} for name in candidates}
    scores = Scores(
        experiment=experiment,
        target=target,
        candidates={
            name: CandidateResult(
                model=models.get(name),
                metrics={
                    one.metric.name: estimated(one, resampling) for (of, _), one in main.items() if of == name
                },
                answered=len(answered[name] & sets.ids),
                missing=len(sets.ids - answered[name]),
                parts=_parts(name, scored.observed, resampling, sets),
            )
            for name in candidates
        },
        comparisons=tuple(compared(main, candidates, resampling)),
        gates=gate_results(gates, main, resampling),
        metric=metric,
        confusion=confusions(scorers, main, candidates),
        scales={one.name: one.scale for one in metrics},
        lower_is_better=tuple(one.name for one in metrics if one.higher_is_better is False),
    )
    warnings = (*cautions(scores, sets.recall_counts), *degenerate_answers(records, known))
    scores = replace(scores, verdict=verdict(scores), warnings=warnings)
    return scores, scored.records


class Sets:
    """Which questions count where: the main ones, those of each set, those of each tag."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.ids = {one.id for one in samples}
        self.of: dict[str, set[str]] = {}
        for one in samples:
            self.of.setdefault(one.set, set()).add(one.id)
        main = {one.id for one in samples if one.set in MAIN}
        judged = any(_judged(one) for one in samples if one.id in main)
        known = any(_judged(one) for one in samples if one.set == "recall")
        self.recall_counts = known and not judged
        self.main = main | self.of.get("recall", set()) if self.recall_counts else main
        self.tags: dict[str, set[str]] = {}
        for one in samples:
            for tag in one.tags:
                self.tags.setdefault(tag, set()).add(one.id)

    def parts(self) -> Iterator[tuple[str, set[str]]]:
        """Yield the parts that are worth telling apart, with their questions: sets, and tags of main ones."""
        for name, ids in self.of.items():
            if ids != self.main:
                yield name, ids
        for tag, ids in self.tags.items():
            if tag not in self.of and ids & self.main:
                yield tag, ids & self.main


def _judged(sample: Sample) -> bool:
    return bool(sample.expect) or sample.reference is not None


def complete(scorers: Sequence[Scorer], samples: Sequence[Sample]) -> tuple[Scorer, ...]:
    """Return the scorers with that of `expect`, which judges wherever there is one."""
    there = any(one.name == EXPECT.name for one in scorers)
    return tuple(scorers) if there or not any(one.expect for one in samples) else (EXPECT, *scorers)


def metrics_of(scorers: Sequence[Scorer], samples: Sequence[Sample]) -> list[Metric]:
    """Return the metrics of an evaluation; pass rates of the recall and the general set are their own."""
    sets = {one.set for one in samples}
    apart = [share(name) for name in APART if name in sets]
    return [*(metric for one in scorers for metric in one.metrics), *apart]


def check(
    *,
    samples: Sequence[Sample],
    candidates: Sequence[str],
    scorers: Sequence[Scorer],
    metric: str | None = None,
    gates: Sequence[str] = (),
) -> str | None:
    """Return the metric that the verdict rests on, None if nothing can be judged; asks nobody.

    ConfigError for a metric or a gate that can't be decided.
    """
    scorers = complete(scorers, samples)
    metrics = {one.name: one for one in metrics_of(scorers, samples)}
    check_gates(gates, candidates, metrics)
    if metric is None:
        return _default_metric(scorers, samples)
    if metric not in metrics:
        key, names = metric, ", ".join(metrics)
        message = f"`eval.metric` is {key}, but there is no such metric"
        raise ConfigError(message, code="unknown_metric", hint=f"Metrics here: {names}.")
    if metrics[metric].higher_is_better is None:
        message = f"`eval.metric` can't be {metric}: neither more nor less of it is better"
        raise ConfigError(message, code="unknown_metric", hint="Name a metric that says what is good.")
    return metric


def _default_metric(scorers: Sequence[Scorer], samples: Sequence[Sample]) -> str | None:
    main = Sets(samples).main
    if any(one.expect for one in samples if one.id in main):
        return PASS_RATE
    mains = [one.metrics[0] for one in scorers if one.name != EXPECT.name]
    if mains and mains[0].higher_is_better is not None:
        return mains[0].name
    return next((one.name for one in mains if one.name not in FREE), None)


def _apart(observed: Mapping[Key, Observed], sets: Sets) -> dict[Key, Observed]:
    """Return the pass rates of the sets that are apart, as metrics of their own."""
    found = {}
    for (candidate, metric), one in observed.items():
        for name in APART:
            part = one.among(sets.of.get(name, ())) if metric == PASS_RATE else None
            if part is not None and part.totals:
                found[candidate, name] = replace(part, metric=share(name))
    return found


def _restricted(observed: Observed, sets: Sets) -> Observed:
    return observed if observed.metric.name in APART else observed.among(sets.main)


def _parts(
    candidate: str, observed: Mapping[Key, Observed], resampling: Resampling, sets: Sets
) -> dict[str, dict[str, Estimate]]:
    """Return a candidate's metrics in each part that it has answers in."""
    found: dict[str, dict[str, Estimate]] = {}
    for part, ids in sets.parts():
        for (of, metric), one in observed.items():
            inside = one.among(ids) if of == candidate else None
            if inside is not None and inside.totals:
                found.setdefault(part, {})[metric] = estimated(inside, resampling)
    return found
