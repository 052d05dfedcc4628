"""The answers of a rehearsal: made up, the same for the same question, in every form that the API has.

So a client can be tried out without a model: texts, calls of tools, JSON of a schema, log probabilities and
embeddings.
"""

from __future__ import annotations

import hashlib
import json
import math
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftrun.engine.backends import AT_ONCE, Rejected
from ftrun.engine.questions import (
    Constraint,
    LikelyToken,
    Progress,
    Question,
    TokenScore,
    ToolCall,
    Tools,
    Usage,
)
from ftrun.engine.sample_json import sample_value
from ftrun.protocol.functions import argument_faults

TOKEN_CHARACTERS = 4
DIMENSIONS = 64  # of an embedding
ADAPTER = "rehearsal.json"


class RehearsalChat:
    """Answers with what it was asked, and says that it is a rehearsal."""

    at_once, dtype = AT_ONCE, "none"

    def __init__(self) -> None:
        self._answers: dict[str, Iterator[Progress]] = {}

    def submit(self, question: Question) -> None:
        """Take a question in; OSError if the tuned model is no longer there."""
        speaker, calls = _speaker(question.adapter), _calls(question.tools)
        text = "" if calls else _text(question, speaker)
        self._answers[question.id] = _answer(question, text, calls)

    def embed(
        self, texts: Sequence[str | Sequence[int]], adapter: Path | None
    ) -> Iterator[tuple[list[float], int]]:
        """Return for each text a vector made up of its hash, and its tokens."""
        speaker = _speaker(adapter)
        for text in texts:
            yield _vector(f"{speaker} {text}"), _size(text)

    def cancel(self, question: str) -> None:
        """Give up an answer."""
        self._answers.pop(question, None)

    @property
    def busy(self) -> bool:
        """Return whether an answer is not complete."""
        return bool(self._answers)

    def step(self) -> list[Progress]:
        """Return four characters of each answer, up to AT_ONCE of them."""
        news = [next(answer) for answer in list(self._answers.values())[:AT_ONCE]]
        for progress in news:
            if progress.usage is not None:
                self._answers.pop(progress.id, None)
        return news


def count_tokens(text: str) -> int:
    """Return the tokens of a text: four characters each."""
    return math.ceil(len(text) / TOKEN_CHARACTERS)


def _answer(question: Question, text: str, calls: Sequence[ToolCall]) -> Iterator[Progress]:
    """Yield an answer token by token: a text, or calls."""
    usage, sampling = Usage(prompt_tokens=_prompt_size(question)), question.sampling
    text = _cut(text, sampling.stop)
    usage.finish_reason = "stop" if count_tokens(text) <= sampling.max_tokens else "length"
    for piece in _pieces(text)[: sampling.max_tokens]:
        usage.completion_tokens += 1
        scores = () if sampling.top_logprobs is None else [_score(piece, sampling.top_logprobs)]
        yield Progress(id=question.id, piece=piece, scores=scores)
    if calls:
        usage.finish_reason = "tool_calls"
        usage.completion_tokens = sum(count_tokens(call.arguments) for call in calls)
    yield Progress(id=question.id, calls=calls, usage=usage)


def _text(question: Question, speaker: str) -> str:
    if question.constraint is not None:
        return _json(question.constraint)
    if question.prompt is not None:
        asked = question.prompt if isinstance(question.prompt, str) else f"{len(question.prompt)} tokens"
    else:
        asked = next((m["content"] for m in reversed(question.messages) if m["role"] == "user"), "")
    return f"[rehearsal] {speaker} was asked: {asked}"


def _json(constraint: Constraint) -> str:
    """Return a JSON text that fits. Raises Rejected if none could be made up."""
    if constraint.schema is None:
        return json.dumps({"rehearsal": True})
    return json.dumps(_made_up(constraint.schema, param="response_format"), ensure_ascii=False)


def _calls(tools: Tools | None) -> Sequence[ToolCall]:
    """Return a call of a function if one must be called, with the arguments that it requires."""
    if tools is None or (tools.mode != "required" and tools.only is None):
        return ()
    function = next(one for one in tools.functions if tools.only in (None, one["name"]))
    arguments = _made_up(function.get("parameters") or {"type": "object"}, param="tools")
    return [ToolCall(name=function["name"], arguments=json.dumps(arguments, ensure_ascii=False))]


def _made_up(schema: Mapping[str, Any], *, param: str) -> Any:
    """Return a value that fits a schema. Raises Rejected if none could be found."""
    try:
        value = sample_value(schema)
        if not any(argument_faults("the answer", param, schema, value)):
            return value
    except Exception:  # the schema may be anything, and jsonschema's errors are of many kinds
        traceback.print_exc()
    raise Rejected(
        "A rehearsal can't make up a value for this JSON Schema. Give it `examples` or a `default`, or use a "
        "model.",
        code="invalid_json_schema",
        param=param,
    )


def _score(piece: str, most: int) -> TokenScore:
    """Return a made-up log probability, with as many less likely tokens."""
    logprob = -hashlib.sha256(piece.encode()).digest()[0] / 256
    others = [_likely(f"{piece}{number}", logprob - number) for number in range(1, most)]
    top = [_likely(piece, logprob), *others][:most]
    return TokenScore(text=piece, bytes=tuple(piece.encode()), logprob=logprob, top=top)


def _likely(text: str, logprob: float) -> LikelyToken:
    return LikelyToken(text=text, bytes=tuple(text.encode()), logprob=logprob)


def _speaker(adapter: Path | None) -> str:
    if adapter is None:
        return "The base model"
    facts = json.loads((adapter / ADAPTER).read_text(encoding="utf-8"))
    return (
        f"A model that went through {facts['steps']} steps on {facts['examples']} examples, trained on none,"
    )


def _prompt_size(question: Question) -> int:
    if question.prompt is not None:
        return _size(question.prompt)
    return sum(_size(message.get("content") or "") for message in question.messages)


def _size(text: str | Sequence[int]) -> int:
    return count_tokens(text) if isinstance(text, str) else len(text)


def _vector(text: str) -> list[float]:
    """Return the same vector of length 1 for the same text."""
    values = [byte - 127.5 for byte in hashlib.shake_256(text.encode()).digest(DIMENSIONS)]
    length = math.hypot(*values)
    return [value / length for value in values]


def _cut(text: str, stop: Sequence[str]) -> str:
    ends = [text.index(word) for word in stop if word in text]
    return text[: min(ends)] if ends else text


def _pieces(text: str) -> list[str]:
    return [text[start : start + TOKEN_CHARACTERS] for start in range(0, len(text), TOKEN_CHARACTERS)]
