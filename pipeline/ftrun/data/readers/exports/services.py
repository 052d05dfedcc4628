"""The messages in what Telegram, Discord and Slack export as JSON, and Discord also as CSV."""

from __future__ import annotations

import contextlib
import datetime
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ftrun.data.readers.exports.turns import Said

Entry = tuple[int, Mapping[str, Any]]  # line, message
DISCORD_TALK = ("Default", "Reply", "0", "19", "ApplicationCommand", "ChatInputCommand")
SLACK_TALK = (None, "bot_message", "thread_broadcast", "file_share", "me_message", "file_comment")
LINK = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
FRACTION = re.compile(r"(\.\d{1,6})\d*")
DATES = ("%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M", "%d-%b-%y %I:%M %p", "%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M")


def telegram(messages: Iterable[tuple[int, str, Mapping[str, Any]]]) -> Iterator[Said | None]:
    """Yield the messages of (line, chat, message), and None for each without a text."""
    for line, chat, message in messages:
        text = _telegram_text(message.get("text")).strip()
        time = _time(message.get("date"))
        speaker = message.get("from") or message.get("from_id")
        if message.get("type") != "message" or time is None or not speaker or not text:
            yield None
        else:
            yield Said(line, time, str(speaker), text, chat)


def _telegram_text(text: Any) -> str:
    if isinstance(text, list):
        return "".join(one if isinstance(one, str) else str(one.get("text", "")) for one in text)
    return text if isinstance(text, str) else ""


def discord(messages: Iterable[Entry]) -> Iterator[Said | None]:
    """Yield the messages, and None for each without a text and each of the service itself."""
    for line, message in messages:
        author = message.get("author") or {}
        text = str(message.get("content") or "").strip()
        time = _time(message.get("timestamp"))
        speaker = author.get("name") or author.get("nickname") or author.get("id")
        if str(message.get("type", "Default")) not in DISCORD_TALK or time is None or not text or not speaker:
            yield None
        else:
            yield Said(line, time, str(speaker), text, bot=author.get("isBot") is True)


def discord_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a CSV export as the message that it would be in JSON."""
    author = {"name": row.get("Author"), "id": row.get("AuthorID")}
    return {"author": author, "content": row.get("Content"), "timestamp": row.get("Date")}


def slack(messages: Iterable[Entry]) -> Iterator[Said | None]:
    """Yield the messages, with the names of those they mention, and None for each of the service itself."""
    entries = sorted(messages, key=lambda one: str(one[1].get("ts")))  # some are saved newest first
    names = {str(one["user"]): name for _, one in entries if one.get("user") and (name := _slack_name(one))}
    for line, message in entries:
        user = str(message.get("user") or message.get("bot_id") or "")
        speaker = names.get(user) or _slack_name(message) or user
        text = _slack_text(str(message.get("text") or ""), names).strip()
        time = _time(message.get("ts"))
        if message.get("subtype") not in SLACK_TALK or time is None or not text or not speaker:
            yield None
            continue
        thread = str(message.get("thread_ts") or "")
        yield Said(line, time, speaker, text, thread, bool(message.get("bot_id")))


def _slack_name(message: Mapping[str, Any]) -> str | None:
    profiles = [message.get("user_profile"), message.get("bot_profile")]
    for profile in (one for one in profiles if isinstance(one, Mapping)):
        for key in ("display_name", "real_name", "name"):
            if isinstance(profile.get(key), str) and profile[key].strip():
                return str(profile[key]).strip()
    name = message.get("username")
    return name.strip() or None if isinstance(name, str) else None


def _slack_text(text: str, names: Mapping[str, str]) -> str:
    def shown(found: re.Match[str]) -> str:
        target, label = found[1], found[2]
        if target.startswith("@"):
            return f"@{label or names.get(target[1:], target[1:])}"
        if target.startswith(("!", "#")):
            return f"{'@' if target[0] == '!' else '#'}{(label or target[1:].split('^')[0]).lstrip('@#')}"
        return label or target.removeprefix("mailto:")

    return html.unescape(LINK.sub(shown, text))


def _time(value: Any) -> datetime.datetime | None:
    """Return the time of a message, without its zone: pauses are all that it is for."""
    text = str(value or "").strip()
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime.datetime.fromtimestamp(float(text), datetime.UTC).replace(tzinfo=None)
    with contextlib.suppress(ValueError):
        return datetime.datetime.fromisoformat(FRACTION.sub(r"\1", text)).replace(tzinfo=None)
    for form in DATES:
        with contextlib.suppress(ValueError):
            return datetime.datetime.strptime(text, form)
    return None
