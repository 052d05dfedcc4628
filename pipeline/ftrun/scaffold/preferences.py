"""Recognising preferences for `ftrun init`: a question with a better and a worse answer in each row.

Pure: works on a `Look`, reads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftrun.scaffold.column_names import known, plain_name
from ftrun.scaffold.peek import Look

PREFERRED_NAMES = (
    "chosen preferred preferredoutput preferredanswer winner better good "
    "良い回答 良い答え 良い 好ましい回答 望ましい回答 採用回答 採用 正解例"
)
REJECTED_NAMES = (
    "rejected nonpreferred nonpreferredoutput nonpreferredanswer loser worse bad "
    "悪い回答 悪い答え 悪い 好ましくない回答 望ましくない回答 不採用回答 不採用 不正解例"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Which columns hold the question and both answers, by their names in the file.

    `paths` is what stands behind a column's name in a template, where its values are lists of messages.
    """

    user: str
    preferred: str
    rejected: str
    paths: tuple[str, str, str]


def is_ready_preference(row: Any) -> bool:
    """Return whether a row is a preference as the fine-tuning API takes it."""
    asked = row.get("input")
    return isinstance(asked, dict) and isinstance(asked.get("messages"), list) and "preferred_output" in row


def find_preferences(look: Look, user_names: str) -> Preferences | None:
    """Return which columns hold preferences, None if none do. `user_names`: how questions are called."""
    plain = {name: plain_name(name) for name in look.columns}
    preferred, rejected = known(plain, PREFERRED_NAMES), known(plain, REJECTED_NAMES)
    if preferred is None or rejected is None:
        return None
    user = known(plain, user_names, preferred, rejected)
    answers = [_path(look, column) for column in (preferred, rejected)]
    asks = _path(look, user) if user is not None else "[0].content" if _asks_itself(look, preferred) else None
    if asks is None or None in answers:
        return None
    paths = (asks, str(answers[0]), str(answers[1]))
    return Preferences(user=user or preferred, preferred=preferred, rejected=rejected, paths=paths)


def value_at(row: Any, column: str, path: str) -> str:
    """Return the text that a column holds, or its first or last message."""
    value = row.get(column)
    if not path:
        return str(value or "")
    return str(value[0 if path.startswith("[0]") else -1].get("content") or "")


def _path(look: Look, column: str) -> str | None:
    """Return where the text stands in a column: itself, or in the last of one or two messages."""
    values = [row.get(column) for row in look.rows]
    if all(isinstance(value, str) for value in values):
        return ""
    return "[-1].content" if all(_is_short_chat(value) for value in values) else None


def _asks_itself(look: Look, column: str) -> bool:
    values = [row.get(column) for row in look.rows]
    return all(isinstance(value, list) and len(value) == 2 and _is_short_chat(value) for value in values)


def _is_short_chat(value: Any) -> bool:
    """Return whether a value is a list of one message, or of a question and its answer."""
    if not isinstance(value, list) or not 1 <= len(value) <= 2:
        return False
    messages = [one for one in value if isinstance(one, dict) and isinstance(one.get("content"), str)]
    return len(messages) == len(value) and (len(value) == 1 or value[0].get("role") == "user")
