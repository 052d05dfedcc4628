"""What scorers get and give: sample and answer in, score out, and metrics over many scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:  # numpy is of the extra `eval`, and pass rates need none
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

Message = Mapping[str, Any]
# where a sample is from: `eval.prompts`, the held-out test split, training questions, the general-ability set
SampleSet = Literal["prompts", "test", "recall", "general"]
Scale = Literal["share", "points", "number", "seconds", "usd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A question, what a right answer is, and where it belongs.

    `turns` are the messages without the system prompt, the last one to be answered; `system` is what the
    tuned and the base model get in front of them (None: nothing). `own_system`: the sample brings its own
    (or none), and candidates don't replace it. Samples with the same `cluster` belong together (rows of one
    group); None: it stands alone. `expect` and `reference` are what scorers judge by.
    """

    id: str
    turns: tuple[Message, ...]
    system: str | None = None
    own_system: bool = False
    reference: str | None = None
    expect: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    tags: tuple[str, ...] = ()
    set: SampleSet = "prompts"
    cluster: str | None = None

    @property
    def messages(self) -> tuple[Message, ...]:
        """Return the conversation with the system prompt in front."""
        head = () if self.system is None else ({"role": "system", "content": self.system},)
        return (*head, *self.turns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a candidate said. `tool_calls` are as the API has them; `refusal`: who refused, if anyone did;
    `usd` is None where the price is unknown.
    """

    text: str
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    refusal: str | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    seconds: float | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The score of one answer: a number to show (None: it can't be said of one answer alone), why in words
    for people (an f-string of ours; empty: nothing to say), and the numbers whose sums over all answers a
    metric is computed from (empty: `(value, 1)`).
    """

    value: float | None
    explanation: str = ""
    statistics: Sequence[float] = ()


class Metric(Protocol):
    """A number over many scores of one scorer.

    `higher_is_better` is None where neither is. `binary`: every score is 0 or 1 and the metric their mean,
    so exact tests apply. `scale` says how it is shown: a share of 0-1, points of 0-100, a plain number,
    seconds, or US$. `resampled` is False where sums over resampled answers mean nothing (distinct-n), so
    that there is no interval.
    """

    @property
    def name(self) -> str: ...
    @property
    def higher_is_better(self) -> bool | None: ...
    @property
    def binary(self) -> bool: ...
    @property
    def scale(self) -> Scale: ...
    @property
    def resampled(self) -> bool: ...

    def combine(self, sums: Matrix) -> Matrix:
        """Return the metric for each row of sums: shape (B, k) in, (B,) out; NaN where it is undefined."""
        ...


class Scorer(Protocol):
    """Judges single answers. `name` is what the experiment file calls it; its first metric is the main one.

    A scorer of labels also has `labels: tuple[str, ...]` (see `scoring.classification`).
    """

    @property
    def name(self) -> str: ...
    @property
    def metrics(self) -> Sequence[Metric]: ...

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return the score; None if the sample lacks what this scorer judges by (a reference, say)."""
        ...
