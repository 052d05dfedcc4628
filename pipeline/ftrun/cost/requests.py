"""The tokens of requests for answers, and of answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ftrun.cost.models import encoding_of, family
from ftrun.cost.tokens import count_examples, text_counter
from ftrun.experiment.target import Target

LONGEST_ANSWER = 32_768  # tokens of an answer without a limit: the most that GPT-4.1 writes
Messages = Sequence[Mapping[str, Any]]
Chat = tuple[Messages, Messages]  # messages and tools


def request_tokens(target: Target, chats: Sequence[Chat]) -> list[int]:
    """Return the tokens of each request. One alone is counted in this thread: others may count, too."""
    rows = [
        {"messages": list(messages), **({"tools": list(tools)} if tools else {})} for messages, tools in chats
    ]
    count = text_counter(encoding_of(target).name, 1 if len(rows) == 1 else 0)
    return [one.total for one in count_examples(rows, count, family(target.model))]


def answer_tokens(target: Target, text: str, calls: Messages) -> int:
    """Return the tokens of an answer: its text and its tool calls."""
    said = [one for one in (text, json.dumps(list(calls), ensure_ascii=False) if calls else "") if one]
    return sum(text_counter(encoding_of(target).name, 1)(said)) if said else 0
