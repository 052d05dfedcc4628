"""What an evaluation finds: estimates with intervals, comparisons, gates and the verdict; and scores.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Decision = Literal["ship", "do_not_ship", "not_enough_evidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A metric of one candidate from `n` answers, with its 95 % interval. `low` and `high` are None where an
    interval means nothing (too few answers), `value` too where no answer could be scored.
    """

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """Ids of the questions that only `a` passes (`fixed`) or only `b` (`broken`), and how many end alike."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """A gate as written, whether it holds, and what was compared: its left side minus its right side."""

    gate: str
    passed: bool
    value: float | None


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
    the last column for answers that are none of them}.
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
