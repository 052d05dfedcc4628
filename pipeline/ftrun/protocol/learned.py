"""Which texts of a training row will be learned. Shows nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ftrun.protocol.faults import Example
from ftrun.protocol.rows import is_completion, parts_of


class Span(NamedTuple):
    """A text of a row: its path, who says it (role and name), and whether it is learned.

    In a preference `preferred_output` is learned; `non_preferred_output` is what the model learns to avoid.
    """

    path: str
    role: str
    text: str
    trained: bool
    name: str | None = None


def trained_spans(row: Example) -> Iterator[Span]:
    """Yield every text of a sound row in order: contents, calls, and images by their address.

    Learned are the assistant's contents and calls unless their `weight` is 0. Of a preference only the two
    outputs are; of a question for a grader nothing is, since the model's own answers are graded.
    """
    if is_completion(row) and "messages" not in row:
        yield Span("prompt", "prompt", row["prompt"], False)
        yield Span("completion", "completion", row["completion"], True)
        return
    graded = "messages" in row and not any(one["role"] == "assistant" for one in row["messages"][-1:])
    for path, messages in parts_of(row):
        context = graded or path == "input.messages"
        for index, message in enumerate(messages):
            learned = message["role"] == "assistant" and message.get("weight") != 0 and not context
            yield from _message_spans(f"{path}[{index}]", message, learned)


def _message_spans(place: str, message: Mapping[str, Any], learned: bool) -> Iterator[Span]:
    role, content, name = message["role"], message.get("content"), message.get("name")
    if isinstance(content, str) and content:
        yield Span(f"{place}.content", role, content, learned, name)
    for number, part in enumerate(content if isinstance(content, list) else ()):
        where = f"{place}.content[{number}]"
        if part["type"] == "text":
            yield Span(f"{where}.text", role, part["text"], learned, name)
        else:
            yield Span(f"{where}.image_url", role, part["image_url"]["url"], False, name)
    for number, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        text = f"{function['name']}({function['arguments']})"
        yield Span(f"{place}.tool_calls[{number}]", role, text, learned, name)
