"""How a model's chat template writes calls of functions, found out by letting it write some.

A template is the one description of a model's calls that every model has. What it writes around the names and
arguments of an example is what an answer of the model has around them, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ftrun.engine.backends import Rejected

Message = Mapping[str, Any]
FIRST, SECOND, RESULT = "probe_one", "probe_two", "probe_result"
ARGUMENTS = json.dumps({"key": "value"})
PROBES: Sequence[Message] = [
    {
        "name": name,
        "description": name,
        "parameters": {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"]},
    }
    for name in (FIRST, SECOND)
]
ASKED: Message = {"role": "user", "content": "a"}


class Render(Protocol):
    """Renders messages, and after them what asks for an answer if `ask`; raises Rejected."""

    def __call__(self, messages: Sequence[Message], functions: Sequence[Message], /, *, ask: bool) -> str:
        """Return the text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CallForm:
    """What is written around calls: `head`, a name, `middle`, arguments as JSON, and `tail`.

    Between two calls of an answer is `joint` instead of tail and head; None if the template has but one call.
    """

    head: str
    middle: str
    tail: str
    joint: str | None

    @property
    def is_object(self) -> bool:
        """Return whether name and arguments are in one JSON object."""
        return "{" in self.head

    @property
    def marker(self) -> str:
        """Return what begins a call in the midst of a text; empty if only a whole answer is a call."""
        return self.head.partition("{")[0].strip().removesuffix("[").strip()

    @property
    def closing(self) -> str:
        """Return what comes after the JSON of a call, such as `</tool_call>`."""
        return (re.split(r"[]}]", self.tail)[-1] if self.is_object else self.tail).strip()


def call_id(number: int) -> str:
    """Return the id of a chat's call in a template; nine letters and digits, as Mistral's demand."""
    return f"call{number:05}"


def as_value(arguments: str) -> Any:
    """Return the arguments of a call as templates expect them: a value; text that is not JSON as it is."""
    try:
        value = json.loads(arguments or "{}")
        json.dumps(value, ensure_ascii=False).encode()  # tokenizers take no lone surrogates
        return value
    except (ValueError, RecursionError):
        return arguments


def find_form(render: Render, ends: Sequence[str]) -> CallForm | None:
    """Return the form of a template; None if it has no tools, or writes calls in a way that can't be read.

    `ends` are the texts of the tokens that end a turn.
    """
    try:
        prompt = render([ASKED], PROBES, ask=True)
        result = {"role": "tool", "tool_call_id": "1", "content": RESULT}
        answered = render([ASKED, _calls(FIRST), result], PROBES, ask=True)
    except Rejected:
        return None
    one = _around(render, prompt, ends, FIRST)
    if one is None or FIRST not in prompt or RESULT not in answered:
        return None
    head, middle, tail = one
    two = _around(render, prompt, ends, FIRST, SECOND)
    regular = two is not None and (two[0], two[1], two[3]) == (head, middle, middle)
    return CallForm(
        head=head, middle=middle, tail=tail, joint=two[2] if two is not None and regular else None
    )


def _calls(*names: str) -> Message:
    calls = [
        {"id": str(number), "type": "function", "function": {"name": name, "arguments": ARGUMENTS}}
        for number, name in enumerate(names, start=1)
    ]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def _around(render: Render, prompt: str, ends: Sequence[str], *names: str) -> list[str] | None:
    """Return the texts around names and arguments, in order; None if the template writes them otherwise."""
    try:
        text = render([ASKED, _calls(*names)], PROBES, ask=False)
    except Rejected:  # Llama 3's takes only one call
        return None
    answer = text.removeprefix(prompt)
    answer = answer[: min((answer.index(end) for end in ends if end in answer), default=len(answer))]
    calls = (rf'{name}(.*?)\{{\s*"key"\s*:\s*"value"\s*\}}' for name in names)
    found = re.fullmatch(f"(.*?){'(.*?)'.join(calls)}(.*)", answer, re.DOTALL)
    return list(found.groups()) if found is not None and text.startswith(prompt) else None
