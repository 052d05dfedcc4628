"""What a chat model is asked, and what comes back piece by piece: data that crosses processes as JSON."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

FinishReason = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to sample, with the API's meanings; temperature 0 is greedy.

    `logit_bias` is added to the scores of token ids. `top_logprobs` is how many of the likeliest tokens come
    with each token's log probability; without it no token has one.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 256
    seed: int | None = None
    stop: tuple[str, ...] = ()
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    top_logprobs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """Which texts an answer may be: what the JSON Schema `schema` allows; None is any JSON object."""

    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The functions that may be called: `functions` as in the API (name, description, parameters, strict).

    `mode` is the API's tool_choice; with a function's name in `only`, that one must be called. Without
    `parallel` at most one is called.
    """

    functions: Sequence[Mapping[str, Any]]
    mode: Literal["none", "auto", "required"] = "auto"
    only: str | None = None
    parallel: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request for an answer. `adapter` is a TrainingResult.model_folder, None is the base model.

    Either `messages`, which the model's chat template turns into text, or `prompt`, a text or token ids that
    are continued as they are.
    """

    messages: Sequence[Mapping[str, Any]] = ()
    prompt: str | Sequence[int] | None = None
    adapter: Path | None = None
    sampling: Sampling = field(default_factory=Sampling)
    tools: Tools | None = None
    constraint: Constraint | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def as_message(self) -> dict[str, Any]:
        """Return the question as a JSON object."""
        parts = {
            name: None if part is None else _shallow(part)
            for name, part in (
                ("sampling", self.sampling),
                ("tools", self.tools),
                ("constraint", self.constraint),
            )
        }
        return {**_shallow(self), **parts, "adapter": None if self.adapter is None else str(self.adapter)}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Question:
        """Return the question of `as_message`; one of an older server may lack the newer keys."""
        sampling = dict(message["sampling"])
        bias = {int(token): added for token, added in sampling.pop("logit_bias", {}).items()}
        tools, constraint = message.get("tools"), message.get("constraint")
        return cls(
            id=message["id"],
            messages=message["messages"],
            prompt=message.get("prompt"),
            adapter=Path(message["adapter"]) if message["adapter"] else None,
            sampling=Sampling(**{**sampling, "stop": tuple(sampling["stop"]), "logit_bias": bias}),
            tools=None if tools is None else Tools(**tools),
            constraint=None if constraint is None else Constraint(**constraint),
        )


def _shallow(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as they are: `asdict` copies a long conversation for each answer."""
    return {one.name: getattr(record, one.name) for one in fields(record)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """A request for the embeddings of texts, or of token ids; `adapter` as in a Question."""

    texts: Sequence[str | Sequence[int]]
    adapter: Path | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def as_message(self) -> dict[str, Any]:
        """Return the request as a JSON object, which has `embed` where a question has its messages."""
        adapter = None if self.adapter is None else str(self.adapter)
        return {"id": self.id, "embed": self.texts, "adapter": adapter}


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelyToken:
    """A token that could come, and its natural log probability; `text` has U+FFFD for a broken character."""

    text: str
    bytes: Sequence[int]
    logprob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScore(LikelyToken):
    """A token of an answer, and the likeliest ones at its place, best first."""

    top: Sequence[LikelyToken] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call of a function: its name, and the arguments as JSON text."""

    name: str
    arguments: str


@dataclass(slots=True)
class Usage:
    """The tokens of an answer, and why it ended; updated while the answer is generated."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: FinishReason = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is new about one answer: text, scores, calls of tools; or its end, `usage` or `error`."""

    id: str
    piece: str = ""
    scores: Sequence[TokenScore] = ()
    calls: Sequence[ToolCall] = ()
    usage: Usage | None = None
    error: Exception | None = None

    def as_part(self) -> dict[str, Any]:
        """Return what is new as a JSON object; empty if nothing but the end is."""
        part = {
            "piece": self.piece,
            "scores": [asdict(score) for score in self.scores],
            "calls": [asdict(call) for call in self.calls],
        }
        return {name: value for name, value in part.items() if value}
