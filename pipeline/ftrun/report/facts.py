"""What a report says, but not how it looks. A report is a function of its Facts alone.

Answers, scores, metrics and the fit are evaluation's own values. What data found comes as JSON values, in
the shape of `check --json`, so a stage builds Facts with `Facts.from_json({...})` out of both. Unknown keys
are left out; a missing one without a default is a TypeError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ftrun.evaluation.answers import Record
from ftrun.evaluation.learning_curve.checkpoints import Checkpoint
from ftrun.evaluation.learning_curve.fit import Fit
from ftrun.evaluation.learning_curve.metric_rows import MetricRow
from ftrun.evaluation.results import Scores
from ftrun.experiment.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentFacts:
    """The experiment; `file` is relative to the project."""

    name: str
    description: str | None = None
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """The fine-tuning job. Times are seconds since 1970; `requested` may hold "auto", `resolved` numbers."""

    id: str
    model: str
    status: str | None = None
    fine_tuned_model: str | None = None
    requested: Mapping[str, Any] = field(default_factory=dict)
    resolved: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    trained_tokens: int | None = None
    created_at: float | None = None
    finished_at: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFacts:
    """One of train, validation and test: its number of examples, and the distributions per example."""

    examples: int
    tokens: Mapping[str, float] | None = None
    assistant_tokens: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """A bar of a histogram: how many examples have `low` to `high` tokens (or messages), both inclusive."""

    low: int
    high: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemFacts:
    """A finding of a check: `severity` is error, warning or note."""

    severity: str
    code: str
    message: str
    file: str | None = None
    line: int | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """The data: splits by name, rows dropped as duplicates, findings, counts of training examples.

    `examples` are those to browse, as `data.browsable` yields them.
    """

    splits: Mapping[str, SplitFacts] = field(default_factory=dict)
    duplicates: int = 0
    problems: tuple[ProblemFacts, ...] = ()
    histogram: tuple[Bin, ...] = ()
    message_histogram: tuple[Bin, ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ()
    encoding: str | None = None
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFacts:
    """The estimate, of which `usd` is training and evaluation together; None: the price is unknown.

    `free`: it ran on this machine.
    """

    free: bool = False
    usd: float | None = None
    train_usd: float | None = None
    eval_usd: float | None = None
    yen_per_usd: float | None = None
    train_tokens: int | None = None
    n_epochs: int | None = None
    billable_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceFacts:
    """Provenance. `data` maps a file to its SHA-256; `dtype` is the number format that the base model was
    trained in, `time` when the job ended, in UTC.
    """

    ftrun: str
    python: str
    platform: str
    config_sha256: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    git_dirty: bool | None = None
    store: str | None = None
    dtype: str | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a report says, and in which language. `checkpoints` are steps; `warnings` come first."""

    experiment: ExperimentFacts
    target: Target
    status: str
    provenance: ProvenanceFacts
    job: JobFacts | None = None
    data: DataFacts = field(default_factory=DataFacts)
    cost: CostFacts = field(default_factory=CostFacts)
    metrics: tuple[MetricRow, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    fit: Fit | None = None
    answers: tuple[Record, ...] = ()
    scores: Scores = field(default_factory=Scores)
    warnings: tuple[str, ...] = ()
    language: str = "en"

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Facts:
        """Return the facts of a document with these keys; values that are already typed stay as they are."""
        facts = _typed(cls, document)
        assert isinstance(facts, cls)
        return facts


def _typed(kind: Any, value: Any) -> Any:
    """Return `value` as an instance of the annotation `kind`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if value is None or is_dataclass(type(value)):
        return value
    if origin in (Union, UnionType):
        return _typed(next(one for one in arguments if one is not type(None)), value)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        names = [one.name for one in fields(kind) if one.name in value]
        return kind(**{name: _typed(hints[name], value[name]) for name in names})
    if origin is tuple:
        return tuple(_typed(arguments[0], one) for one in value)
    if origin is Mapping:
        return {key: _typed(arguments[1], one) for key, one in value.items()}
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
