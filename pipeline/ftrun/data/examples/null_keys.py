"""Rows in which an answer was kept just as the API gave it: with empty keys that teach nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NULLABLE = ("refusal", "audio", "function_call", "tool_calls")


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
