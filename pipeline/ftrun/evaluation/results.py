"""What an evaluation finds: estimates with intervals, comparisons, gates and the verdict; and scores.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Decision = Literal["ship", "do_not_ship", "not_enough_evidence"]
PASS_RATE = "pass_rate"  # noqa: S105 - a metric
BASE = "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A metric of one candidate from `n` answered questions, with its 95 % interval. `low` and `high` are
    None where an interval means nothing (too few questions), `value` too where no answer could be scored.
    """

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None


UNKNOWN = Estimate(value=None, n=0)


def _passes(rate: Estimate) -> dict[str, Any]:
    return {PASS_RATE: rate.value, "passed": round((rate.value or 0) * rate.n), "judged": rate.n}


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateResult:
    """The metrics of one candidate. `model` is None for recorded answers without one; `missing` counts the
    questions that it has no answer to. `parts` has the metrics by set (`recall`, `general`, …) and by tag.
    """

    model: str | None
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    answered: int = 0
    missing: int = 0
    parts: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return the values alone, as the state and `run --json` have them: {"pass_rate", "passed",
        "judged", "asked", and every other metric that has a value}. Where questions are in the training
        data, `recall` and `unseen` are {"pass_rate", "passed", "judged"}, as version 0.1 wrote them.
        """
        rate, recall = self.metrics.get(PASS_RATE, UNKNOWN), self.metrics.get("recall")
        others = {name: one.value for name, one in self.metrics.items() if one.value is not None}
        found = {**others, **_passes(rate), "asked": self.answered}
        if recall is not None:
            counts_alone = rate == recall and "prompts" in self.parts  # nothing else was judged
            found |= {"recall": _passes(recall), "unseen": _passes(UNKNOWN if counts_alone else rate)}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """Ids of the questions that only `a` passes (`fixed`) or only `b` (`broken`), and how many neither."""

    fixed: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    same: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How much better `a` is than `b` on the same questions: `difference` is positive where `a` is better,
    also for metrics of which less is better. `low` and `high` are its 95 % interval, `p` is adjusted for
    several comparisons (Holm), `detectable` the smallest difference that so many questions show with a
    power of 80 %. None: too few questions. `flips` is None unless scores are 0 or 1.
    """

    a: str
    b: str
    metric: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    flips: Flips | None = None
    detectable: float | None = None

    @property
    def significant(self) -> bool:
        """Return whether chance doesn't explain the difference: p is below 5 % and the interval agrees."""
        if self.p is None or self.low is None or self.high is None:
            return False
        return self.p < 0.05 and not self.low <= 0 <= self.high

    @property
    def better(self) -> bool:
        """Return whether `a` is significantly better."""
        return self.significant and (self.difference or 0) > 0

    @property
    def worse(self) -> bool:
        """Return whether `a` is significantly worse."""
        return self.significant and (self.difference or 0) < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """A gate as written, whether it holds, and what was compared: its left side minus its right side, with
    its interval where the gate has a level. `reason`: why it is missed, in a sentence (empty: it holds).
    """

    gate: str
    passed: bool
    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision about the first candidate, and a sentence for each reason and for what would settle it."""

    decision: Decision
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Everything that scores.json and `eval --json` hold.

    `candidates` are in the order of the experiment file. `metric` is what the verdict rests on, `warnings`
    are sentences beside the verdict (degenerate answers, missing recorded ones). `confusion` maps a
    candidate to its confusion matrix: {"labels": [...], "counts": rows of true labels by predicted ones,
    the last column for answers that are none of them}. `scales` says of each metric what its numbers are (see
    `scoring.types.Metric`), `lower_is_better` which metrics are better the lower they are.
    """

    experiment: str = ""
    target: str = ""
    candidates: Mapping[str, CandidateResult] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    verdict: Verdict | None = None
    gates: tuple[GateResult, ...] = ()
    metric: str | None = None
    warnings: tuple[str, ...] = ()
    confusion: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scales: Mapping[str, str] = field(default_factory=dict)
    lower_is_better: tuple[str, ...] = ()

    @property
    def subject(self) -> str | None:
        """Return the candidate that the verdict is about: the first."""
        return next(iter(self.candidates), None)

    def estimate(self, candidate: str, metric: str | None) -> Estimate | None:
        """Return a metric of a candidate; None if it has none."""
        found = self.candidates.get(candidate)
        return None if found is None or metric is None else found.metrics.get(metric)

    def against(self, metric: str | None = None) -> Iterator[Comparison]:
        """Yield the comparisons of a metric (None: the one that the verdict rests on)."""
        wanted = metric or self.metric
        return (one for one in self.comparisons if one.metric == wanted)

    def comparison(self, b: str, metric: str | None = None) -> Comparison | None:
        """Return the comparison with a candidate in a metric (None: the one that the verdict rests on)."""
        return next((one for one in self.against(metric) if one.b == b), None)

    @property
    def plain_metrics(self) -> dict[str, dict[str, Any]]:
        """Return every candidate's values alone, as the state and `run --json` have them."""
        return {name: one.plain() for name, one in self.candidates.items()}

    def as_dict(self) -> dict[str, Any]:
        """Return the document of scores.json; `order` keeps the candidates' order in a sorted file."""
        document: dict[str, Any] = _jsonable(asdict(self))
        document["order"] = list(self.candidates)
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Scores:
        """Return the scores of a document that has comparisons; `scores_document` reads older ones, too."""
        values = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        found, order = document.get("candidates", {}), document.get("order", ())
        names = [*(name for name in order if name in found), *(name for name in found if name not in order)]
        verdict = values.get("verdict")
        return cls(
            **{
                **values,
                "candidates": {name: _candidate(found[name]) for name in names},
                "comparisons": tuple(_comparison(one) for one in document["comparisons"]),
                "verdict": verdict and Verdict(**{**verdict, "reasons": tuple(verdict["reasons"])}),
                "gates": tuple(GateResult(**one) for one in values.get("gates") or ()),
                "warnings": tuple(values.get("warnings") or ()),
                "lower_is_better": tuple(values.get("lower_is_better") or ()),
            }
        )


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _jsonable(one) for name, one in value.items()}
    return [_jsonable(one) for one in value] if isinstance(value, list | tuple) else value


def _candidate(values: Mapping[str, Any]) -> CandidateResult:
    parts = {name: _estimates(one) for name, one in values.get("parts", {}).items()}
    return CandidateResult(**{**values, "metrics": _estimates(values["metrics"]), "parts": parts})


def _estimates(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Estimate]:
    return {name: Estimate(**one) for name, one in values.items()}


def _comparison(values: Mapping[str, Any]) -> Comparison:
    flips = values.get("flips")
    if flips is not None:
        flips = Flips(**{**flips, "fixed": tuple(flips["fixed"]), "broken": tuple(flips["broken"])})
    return Comparison(**{**values, "flips": flips})
