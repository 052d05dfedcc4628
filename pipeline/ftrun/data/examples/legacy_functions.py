"""Turning `functions` and `function_call`, the older form of tools, into tools: only when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
