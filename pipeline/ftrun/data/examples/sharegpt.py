"""Turning ShareGPT's conversations into chats of the fine-tuning API: only when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY = "conversations"
ROLES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
NAMES = {"from": "role", "value": "content"}


def is_sharegpt(values: Mapping[str, Any]) -> bool:
    """Return whether a row has a list `conversations` where a chat has `messages`."""
    return isinstance(values.get(KEY), list) and "messages" not in values


def converted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row as a chat; what has no counterpart there stays for the checks to find."""
    row = {key: value for key, value in values.items() if key != KEY}
    messages = [_message(one) for one in values[KEY]]
    system = row.pop("system", None)
    if isinstance(system, str) and system.strip():
        messages.insert(0, {"role": "system", "content": system})
    return {"messages": messages, **row}


def _message(turn: Any) -> Any:
    """Return a message; keys without a value, of which these files are full, are left out."""
    if not isinstance(turn, Mapping):
        return turn
    message = {NAMES.get(key, key): value for key, value in turn.items() if value is not None}
    role = message.get("role")
    return {**message, "role": ROLES.get(role, role)} if isinstance(role, str) else message
