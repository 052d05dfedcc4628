"""What shapes read: JSON kept as text, the names of roles, and the fault of a row that doesn't fit."""

from __future__ import annotations

import ast
import json
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

LONGEST_LITERAL = 1_000_000  # characters that are read as a Python value
ROLE_OF = {
    name: role
    for role, names in {
        "user": "user human prompter customer client usr questioner asker ユーザー ユーザ 利用者 質問者 人間",
        "assistant": "assistant gpt chatgpt bot model ai agent chatbot llm claude gemini アシスタント 回答者",
        "system": "system sys システム",
        "developer": "developer",
        "tool": "tool observation function functionresponse functionresult toolresponse toolresult "
        "tooloutput toolmessage ipython",
        "call": "functioncall toolcall toolcalls functioncalls",
    }.items()
    for name in names.split()
}


class ShapeFault(Exception):
    """A row can't be converted: `message` says where in the row and why, `hint` how to fix it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def plain(name: str) -> str:
    """Return a name without case, width, spaces and punctuation."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join(one for one in text if one.isalnum() or one == "ー")


def role_of(name: str, roles: Mapping[str, tuple[str, ...]] | None = None) -> str | None:
    """Return the role of a speaker: as `roles` of the source says, else by its usual names; None: unknown."""
    for role, names in (roles or {}).items():
        if name.strip() in names:
            return role
    return ROLE_OF.get(plain(name))


def first_of(row: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """Return the first of `names` that the row has a value for."""
    return next((name for name in names if row.get(name) not in (None, "", [], {})), None)


def decoded(value: Any) -> Any:
    """Return the list or object that a text holds as JSON, or as Python writes it; else the value itself."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        found = json.loads(value, strict=False)
    except (ValueError, RecursionError):
        found = _literal(value)
    return found if isinstance(found, (list, dict)) else value


def _literal(text: str) -> Any:
    if len(text) > LONGEST_LITERAL:
        return None
    try:
        found = ast.literal_eval(text.strip())
        json.dumps(found)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return found


def several(text: str) -> list[Any] | None:
    """Return the objects that a text holds: a list, one, or several in a row; None if none."""
    found = decoded(text)
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return [found]
    rest, values = text.strip(), list[Any]()
    decoder = json.JSONDecoder(strict=False)
    while rest:
        try:
            value, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            lines = [decoded(line) for line in text.strip().splitlines() if line.strip()]
            return lines if lines and all(isinstance(one, dict) for one in lines) else None
        values.append(value)
        rest = rest[end:].lstrip(" \t\r\n,")
    return values if values and all(isinstance(one, dict) for one in values) else None


def as_text(value: Any) -> str:
    """Return a text as it is, and another value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
