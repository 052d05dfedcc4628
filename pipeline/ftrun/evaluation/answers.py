"""Ask every candidate every question exactly once; the lines of answers.jsonl.

How a model is asked (`ask`) and what happens to new answers (`on_answers`) is injected. A cached answer is
found by the question, the model and the sampling. Expectations and references are not part of the key, so
a changed one only scores the answer again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, get_args

from ftrun.files import digest
from ftrun.scoring.types import Message as Message
from ftrun.scoring.types import Sample, SampleSet

CACHE_KEY_VERSION = 1  # raise it instead of changing what the key is made of


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model that answers: `name` as in the experiment file, `model` as the server calls it.

    `origin` distinguishes models with the same id on different servers or stores (their URL or UUID).
    `target` is the target of the file that is asked (None: the experiment's).
    """

    name: str
    model: str
    origin: str = ""
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to a model: which sample it is for, who is asked, with what, and the key of its answer.

    `repeat` numbers several answers to one question, from 0; `sampling` is what is sent for this one.
    """

    sample: str
    candidate: Candidate
    messages: tuple[Message, ...]
    sampling: Mapping[str, Any]
    key: str
    tools: tuple[Mapping[str, Any], ...] = ()
    repeat: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateReply:
    """What came back: the text, the tokens billed, how long it took in seconds (where many are asked at once,
    with the wait for the others), which sampling parameters the server refuses, with what was sent instead
    (None: nothing), and who refused to answer, if anyone did. `at` is when it came (ISO 8601);
    `finish_reason` and `system_fingerprint` are the server's words.
    """

    text: str
    usage: Mapping[str, Any]
    seconds: float
    changes: Mapping[str, str | None] = field(default_factory=dict)
    refusal: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    finish_reason: str | None = None
    system_fingerprint: str | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A line of answers.jsonl. `cache_key` identifies what the experiment file requests, `changes` says
    what was sent instead if the server refused that, `failures` which expectations it failed.

    `scores` maps a scorer to {"value": …, "explanation": …}. `set`, `tags` and `cluster` are the sample's;
    `repeat` numbers several answers to one question, from 0. The last three are as in the reply; None where
    an earlier version wrote the line.
    """

    prompt_id: str
    candidate: str
    model: str
    messages: tuple[Message, ...]
    answer: str
    expect: Mapping[str, Any] | None
    passed: bool | None
    usage: Mapping[str, Any]
    seconds: float
    cache_key: str
    failures: tuple[str, ...] = ()
    recall: bool = False
    changes: Mapping[str, str | None] = field(default_factory=dict)
    reference: str | None = None
    refusal: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    scores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    set: SampleSet = "prompts"
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    repeat: int = 0
    finish_reason: str | None = None
    system_fingerprint: str | None = None
    at: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the line as JSON values."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        for name, default in LEFT_OUT.items():  # lines without any have no key, for earlier versions too
            if values[name] == default:
                del values[name]
        return {name: list(one) if isinstance(one, tuple) else one for name, one in values.items()}

    @classmethod
    def from_dict(cls, line: Mapping[str, Any]) -> Record:
        """Return the record of a line; ValueError, TypeError or KeyError if it isn't one.

        Version 0.1 wrote `rival` for `candidate`.
        """
        values = dict(line)
        if "rival" in values:
            values = {"candidate": values.pop("rival"), **values}
        values["messages"] = tuple(values["messages"])
        for name in ("failures", "tool_calls", "tags"):
            values[name] = tuple(values.get(name, ()))
        record = cls(**values)
        if not record._is_sound():
            raise TypeError("a value has the wrong type")
        return record

    def _is_sound(self) -> bool:
        """Return whether every value has its type: the line may have been edited or merged by hand."""
        texts = (self.prompt_id, self.candidate, self.model, self.answer, self.cache_key, *self.failures)
        roles = [one["role"] for one in self.messages]
        told = (self.finish_reason, self.system_fingerprint, self.at)
        return (
            all(isinstance(text, str) for text in (*texts, *roles))
            and all(value is None or isinstance(value, bool) for value in (self.passed, self.recall))
            and isinstance(self.usage, Mapping)
            and isinstance(self.reference, str | None)
            and (self.expect is None or isinstance(self.expect, Mapping))
            and (self.refusal is None or isinstance(self.refusal, str))
            and math.isfinite(self.seconds)
            and self.set in get_args(SampleSet)
            and all(isinstance(tag, str) for tag in self.tags)
            and isinstance(self.cluster, str | None)
            and isinstance(self.repeat, int)
            and all(isinstance(one, str | None) for one in told)
            and all(isinstance(one, Mapping) for one in (*self.tool_calls, *self.scores.values()))
        )


# what a line leaves out, and what it then is
LEFT_OUT: Mapping[str, Any] = {
    "changes": {},
    "reference": None,
    "refusal": None,
    "tool_calls": (),
    "scores": {},
    "set": "prompts",
    "tags": (),
    "cluster": None,
    "repeat": 0,
    "finish_reason": None,
    "system_fingerprint": None,
    "at": None,
}
Answered = Sequence[tuple[Request, CandidateReply]]
# yields requests with their replies as they come, in any order; raises what the run should stop with
Ask = Callable[[Sequence[Request]], Iterator[Answered]]


def cache_key(
    candidate: Candidate,
    messages: Sequence[Message],
    sampling: Mapping[str, Any],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    repeat: int = 0,
) -> str:
    """Return the key under which the answer to exactly this request is found again.

    Tools are part of it where there are any. So is the number of a further answer to one question, unless it
    has a seed of its own.
    """
    request: dict[str, Any] = {
        "model": candidate.model,
        "messages": list(messages),
        "sampling": dict(sampling),
    }
    if tools:
        request["tools"] = list(tools)
    if repeat and "seed" not in sampling:
        request["repeat"] = repeat
    return digest({"version": CACHE_KEY_VERSION, "origin": candidate.origin, **request})


def unanswered(requests: Iterable[Request], cached: Mapping[str, Record]) -> tuple[Request, ...]:
    """Return what `collect` would have to ask: requests whose answer is neither cached nor another's."""
    missing: dict[str, Request] = {}
    for request in requests:
        if request.key not in cached:
            missing.setdefault(request.key, request)
    return tuple(missing.values())


def collect(
    samples: Sequence[Sample],
    requests: Sequence[Request],
    ask: Ask,
    *,
    cached: Mapping[str, Record],
    on_answers: Callable[[Sequence[Record]], None],
) -> list[Record]:
    """Return a record for every request, in their order; ask only what `cached` lacks. Nothing is scored.

    `on_answers` gets freshly asked answers at once (to keep them, to show progress) and never a cached one.
    What `ask` raises ends the collection; earlier answers have been handed over.
    """
    known, by_id = dict(cached), {sample.id: sample for sample in samples}
    for answered in ask(unanswered(requests, known)):
        records = [_record(by_id[request.sample], request, reply) for request, reply in answered]
        known.update((record.cache_key, record) for record in records)
        on_answers(records)
    return [_record(by_id[one.sample], one, _reply_of(known[one.key])) for one in requests]


def _reply_of(record: Record) -> CandidateReply:
    return CandidateReply(
        text=record.answer,
        usage=record.usage,
        seconds=record.seconds,
        changes=record.changes,
        refusal=record.refusal,
        tool_calls=record.tool_calls,
        finish_reason=record.finish_reason,
        system_fingerprint=record.system_fingerprint,
        at=record.at,
    )


def _record(sample: Sample, request: Request, reply: CandidateReply) -> Record:
    return Record(
        prompt_id=sample.id,
        candidate=request.candidate.name,
        model=request.candidate.model,
        messages=request.messages,
        answer=whole_text(reply.text),
        passed=None,
        usage=dict(reply.usage),
        seconds=round(reply.seconds, 3),
        cache_key=request.key,
        changes=dict(reply.changes),
        refusal=reply.refusal,
        tool_calls=tuple(reply.tool_calls),
        repeat=request.repeat,
        finish_reason=reply.finish_reason,
        system_fingerprint=reply.system_fingerprint,
        at=reply.at,
        **facts_of(sample),
    )


def facts_of(sample: Sample) -> dict[str, Any]:
    """Return what a record says of its sample beside the id."""
    return {
        "expect": sample.expect,
        "recall": sample.set == "recall",
        "reference": sample.reference,
        "set": sample.set,
        "tags": sample.tags,
        "cluster": sample.cluster,
    }


def whole_text(text: str) -> str:
    """Return a text with lone surrogates replaced: a cut answer may end in the middle of an emoji."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
