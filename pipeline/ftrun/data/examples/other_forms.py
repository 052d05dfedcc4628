"""Rows in other forms than the fine-tuning API's: older functions, ShareGPT's conversations, empty keys.

The first two are turned only when asked for. What has no counterpart stays for the checks to find.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY = "conversations"
SHAREGPT_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
SHAREGPT_NAMES = {"from": "role", "value": "content"}
NULLABLE = ("refusal", "audio", "function_call", "tool_calls")  # an answer as the API gave it has them


def is_sharegpt(values: Mapping[str, Any]) -> bool:
    """Return whether a row has a list `conversations` where a chat has `messages`."""
    return isinstance(values.get(KEY), list) and "messages" not in values


def converted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row as a chat; what has no counterpart there stays for the checks to find."""
    row = {key: value for key, value in values.items() if key != KEY}
    messages = [_turned(one) for one in values[KEY]]
    system = row.pop("system", None)
    if isinstance(system, str) and system.strip():
        messages.insert(0, {"role": "system", "content": system})
    return {"messages": messages, **row}


def _turned(turn: Any) -> Any:
    """Return a message; keys without a value, of which these files are full, are left out."""
    if not isinstance(turn, Mapping):
        return turn
    message = {SHAREGPT_NAMES.get(key, key): value for key, value in turn.items() if value is not None}
    role = message.get("role")
    return {**message, "role": SHAREGPT_ROLES.get(role, role)} if isinstance(role, str) else message


def without_empty_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ready row without what an answer has and does not use; all else stays for the checks."""
    row = dict(values)
    if isinstance(row.get("input"), Mapping):
        row["input"] = without_empty_keys(row["input"])
    for key in ("messages", "preferred_output", "non_preferred_output"):
        if isinstance(row.get(key), list):
            row[key] = [_without(message) for message in row[key]]
    return row


def _without(message: Any) -> Any:
    if not isinstance(message, Mapping) or message.get("role") != "assistant":
        return message
    return {key: value for key, value in message.items() if not _is_empty(key, value)}


def _is_empty(key: str, value: Any) -> bool:
    return (key in NULLABLE and value is None) or (key == "annotations" and value in (None, []))


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ready row with tools in the place of functions; flaws stay for the checks to find."""
    row = dict(values)
    if isinstance(row.get("input"), Mapping):
        row["input"] = upgraded(row["input"])
    functions = row.pop("functions", None)
    row.pop("function_call", None)  # whether one had to be called: a training row can't say it
    if isinstance(functions, list) and "tools" not in row:
        row["tools"] = [{"type": "function", "function": one} for one in functions]
    for key in ("messages", "preferred_output", "non_preferred_output"):
        if isinstance(row.get(key), list):
            row[key] = _messages(row[key])
    return row


def _messages(messages: list[Any]) -> list[Any]:
    found: list[Any] = []
    called: list[tuple[str, str]] = []  # name and id of calls that have no answer yet
    for index, message in enumerate(messages):
        if isinstance(message, Mapping) and message.get("role") == "function":
            found.append(_answer(message, called))
        elif isinstance(message, Mapping) and "function_call" in message:
            found.append(_call(message, f"call_{index}", called))
        else:
            found.append(message)
    return found


def _call(message: Mapping[str, Any], call: str, called: list[tuple[str, str]]) -> dict[str, Any]:
    others = {key: value for key, value in message.items() if key != "function_call"}
    function = message["function_call"]
    if function is None:
        return others
    if isinstance(function, Mapping):
        called.append((str(function.get("name")), call))
    return {**others, "tool_calls": [{"id": call, "type": "function", "function": function}]}


def _answer(message: Mapping[str, Any], called: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the answer to the oldest call of that function that has none."""
    name = message.get("name")
    mine = next((one for one in called if one[0] == name), None)
    others = {key: value for key, value in message.items() if key not in ("role", "name")}
    if mine is None:
        return {"role": "tool", "tool_call_id": f"no call of {name}", **others}
    called.remove(mine)
    return {"role": "tool", "tool_call_id": mine[1], **others}
