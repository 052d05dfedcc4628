"""A prepared row as a sample: the last answer is the reference, what comes before it the question."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ftrun.data.readers.json_rows import canonical_line
from ftrun.protocol.texts import plain_text
from ftrun.protocol.training_rows import asked_of, is_completion
from ftrun.scoring.texts.json_values import as_text
from ftrun.scoring.types import Message, Sample, SampleSet

IN_ID = 8  # hex digits of a question's hash
Unusable = Literal["media", "incomplete"]


def row_sample(row: Mapping[str, Any], of: SampleSet, prefix: str, *, graded: bool) -> Sample | Unusable:
    """Return the sample of a training row of any method, or why it can't be one.

    The id is `PREFIX:` and a hash of the question. The row's system prompt stays the sample's, and
    candidates may replace it, as they may the experiment's. `graded`: the row is one for a grader, with
    nothing but a `reference_answer` at most.
    """
    turns, answer, reference = _graded_parts(row) if graded else _parts(row)
    if any(_has_media(one) for one in turns):
        return "media"
    if answer is None and reference is None and not graded:
        return "incomplete"
    system, asked = without_system(turns)
    if not asked:
        return "incomplete"
    tools = tuple(asked_of(row).get("tools") or ())
    calls = (answer or {}).get("tool_calls")
    return Sample(
        id=f"{prefix}:{question_hash(asked, tools)}",
        turns=tuple(asked),
        system=system,
        reference=reference or None,
        expect={"tool_call": expected_call(calls)} if calls else None,
        tools=tools,
        set=of,
    )


def question_hash(turns: Sequence[Message], tools: Sequence[Any] = ()) -> str:
    """Return a short hash of a question: another system prompt or another answer doesn't change it."""
    asked = canonical_line([list(turns), list(tools)] if tools else list(turns))
    return hashlib.sha256(asked).hexdigest()[:IN_ID]


def expected_call(calls: Sequence[Mapping[str, Any]]) -> Any:
    """Return the calls of an answer as `expect.tool_call` has them: one, or a list of several."""
    found = [_call(one.get("function") or {}) for one in calls]
    return found[0] if len(found) == 1 else found


def _call(function: Mapping[str, Any]) -> dict[str, Any]:
    arguments = function.get("arguments") or "{}"
    try:
        read = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        read = None
    return {"name": function.get("name"), **({"arguments": read} if isinstance(read, dict) else {})}


def _parts(row: Mapping[str, Any]) -> tuple[list[Message], Message | None, str | None]:
    """Return the question's messages, the answer's message if there is one, and the answer's text."""
    if is_completion(row) and "messages" not in row:
        return [{"role": "user", "content": row["prompt"]}], None, row["completion"]
    if "input" in row:
        answer = row["preferred_output"][0]
        return list(map(_sent, row["input"]["messages"])), answer, plain_text(answer.get("content"))
    messages = row["messages"]
    said = [index for index, one in enumerate(messages) if one["role"] == "assistant"]
    if not said:
        return list(map(_sent, messages)), None, None
    last = next((index for index in reversed(said) if messages[index].get("weight") != 0), said[-1])
    return list(map(_sent, messages[:last])), messages[last], plain_text(messages[last].get("content"))


def _graded_parts(row: Mapping[str, Any]) -> tuple[list[Message], None, str | None]:
    wanted = row.get("reference_answer")
    return list(map(_sent, row["messages"])), None, None if wanted is None else as_text(wanted)


def _sent(message: Message) -> Message:
    """Return a message as it can be sent: `weight` is for training alone."""
    return {name: value for name, value in message.items() if name != "weight"}


def _has_media(message: Message) -> bool:
    content = message.get("content")
    parts = content if isinstance(content, list) else ()
    return any(isinstance(part, Mapping) and part.get("type") != "text" for part in parts)


def without_system(turns: Sequence[Message]) -> tuple[str | None, Sequence[Message]]:
    """Return the system prompt and the other messages; one in parts or of a developer stays among them."""
    if turns and turns[0].keys() == {"role", "content"} and turns[0]["role"] == "system":
        content = turns[0]["content"]
        if isinstance(content, str):
            return content, turns[1:]
    return None, turns
