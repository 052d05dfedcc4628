"""Recognising chats for `method: reinforcement`: they end with the question, a field has the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftrun.protocol.spec import CHAT_KEYS
from ftrun.scaffold.column_names import known, plain_name
from ftrun.scaffold.peek import Look

# as `plain_name` spells them; the first that is there wins
NAMES = (
    "reference referenceanswer answer correctanswer expected expectedanswer ideal target label solution "
    "groundtruth correct output 正解 模範解答 解答 回答 答え 答 期待値"
)
FIELD = re.compile(r"[A-Za-z_]\w*")  # what a grader's template can name
LONGEST_EXACT = 40  # characters: longer answers are hardly given word for word


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradable:
    """The field of each row with the right answer; `exact`: it is short enough to be met word for word."""

    field: str
    exact: bool


def find_gradable(look: Look) -> Gradable | None:
    """Return what a grader can compare the model's answers with; None where nothing is clear."""
    if not look.chat or not all(map(_asks, look.rows)):
        return None
    fields = [name for name in look.columns if name not in CHAT_KEYS and FIELD.fullmatch(name)]
    fields = [name for name in fields if all(_is_told(row.get(name)) for row in look.rows)]
    named = known({name: plain_name(name) for name in fields}, NAMES)
    field = named or (fields[0] if len(fields) == 1 else None)
    if field is None:
        return None
    return Gradable(field=field, exact=all(len(str(row[field])) <= LONGEST_EXACT for row in look.rows))


def _asks(row: Mapping[str, Any]) -> bool:
    messages = row.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    return isinstance(last, dict) and last.get("role") == "user"


def _is_told(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, str) and value.strip() != "")
