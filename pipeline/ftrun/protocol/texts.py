"""Finding the texts of a row, whatever its shape: each with the path of its field and who says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ftrun.protocol.chat import chat_of

NO_TEXT = frozenset(("role", "type", "weight", "id", "tool_call_id", "detail", "image_url", "tools"))


class Text(NamedTuple):
    """One text of a row: its field (such as messages[2].content), its speaker's role, and itself."""

    field: str
    role: str | None
    text: str


def texts_of(row: Mapping[str, Any]) -> list[Text]:
    """Return the texts of a row in their order; roles, ids, images and schemas of tools are none."""
    return list(_walk(row, "", None))


def _walk(value: Any, field: str, role: str | None) -> Iterator[Text]:
    if isinstance(value, str):
        yield Text(field, role, value)
    elif isinstance(value, Mapping):
        said_by = value.get("role")
        role = said_by if isinstance(said_by, str) else role
        for key, inner in value.items():
            if key not in NO_TEXT:
                yield from _walk(inner, f"{field}.{key}" if field else str(key), role)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{field}[{index}]", role)


def contents(row: Mapping[str, Any]) -> list[str]:
    """Return the texts of a row alone; quick where it is a chat."""
    chat = chat_of(row)
    if chat is not None:
        return chat.texts
    return [text for _, _, text in _walk(row, "", None)]


def dialogue(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (role, text) of what is said in a row, a preferred answer of two included, as it is told."""
    messages = row.get("messages")
    if messages is None:
        given = row.get("input")
        messages = [*(given.get("messages", ()) if isinstance(given, Mapping) else ())]
        messages += [*(row.get("preferred_output") or ())]
    return [(str(one.get("role")), plain_text(one.get("content"))) for one in messages]


def plain_text(content: Any) -> str:
    """Return the text of a message's content: of its parts where it has several, else empty."""
    if isinstance(content, str):
        return content
    if isinstance(content, (list, tuple)):
        return "\n".join(
            part["text"]
            for part in content
            if isinstance(part, Mapping) and isinstance(part.get("text"), str)
        )
    return ""
