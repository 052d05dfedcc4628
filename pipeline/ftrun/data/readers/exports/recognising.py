"""Recognising what a chat service exported by what is in the file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ftrun.data.readers.exports.line import is_line
from ftrun.data.readers.exports.whatsapp import is_whatsapp

TS = re.compile(r"\d{9,11}\.\d{3,6}")
DISCORD_COLUMNS = ("Author", "Date", "Content", "Attachments")
SERVICES = {
    "line": "LINE",
    "whatsapp": "WhatsApp",
    "telegram": "Telegram",
    "discord": "Discord",
    "slack": "Slack",
}


def export_of_lines(lines: Sequence[str]) -> str | None:
    """Return the service whose export begins with these lines, None if it is not known."""
    if is_line(lines):
        return "line"
    if is_whatsapp(lines):
        return "whatsapp"
    names = [name.strip('"\ufeff \r\n') for name in lines[0].split(",")] if lines else []
    return "discord" if all(name in names for name in DISCORD_COLUMNS) else None


def export_in(value: Any) -> tuple[str, int] | None:
    """Return the service that exported a JSON value, and how many messages or chats it holds."""
    if isinstance(value, list):
        return ("slack", len(value)) if _all(value, _is_slack) else None
    if not isinstance(value, Mapping):
        return None
    chats = value.get("chats")
    chats = chats.get("list") if isinstance(chats, Mapping) else None
    if isinstance(chats, list) and _all(chats, lambda one: isinstance(one.get("messages"), list)):
        return "telegram", len(chats)
    messages = value.get("messages")
    if not isinstance(messages, list):
        return None
    for service, fits in (("discord", _is_discord), ("telegram", _is_telegram), ("slack", _is_slack)):
        if _all(messages, fits):
            return service, len(messages)
    return None


def _all(values: Sequence[Any], fits: Any) -> bool:
    return bool(values) and all(isinstance(one, Mapping) and fits(one) for one in values)


def _is_discord(message: Mapping[str, Any]) -> bool:
    return isinstance(message.get("author"), Mapping) and "timestamp" in message and "content" in message


def _is_telegram(message: Mapping[str, Any]) -> bool:
    return message.get("type") in ("message", "service") and "date" in message and "id" in message


def _is_slack(message: Mapping[str, Any]) -> bool:
    return message.get("type") == "message" and TS.fullmatch(str(message.get("ts"))) is not None
