"""What messages must look like: keys, roles, contents (strings, or parts with images), weights, order."""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ftrun.protocol.faults import Fault, did_you_mean, shown
from ftrun.protocol.functions import Functions
from ftrun.protocol.plain_chats import chat_in, is_sound
from ftrun.protocol.spec import LEGACY_ROLE, MESSAGE_KEYS, ROLES, SYSTEM_ROLES
from ftrun.protocol.tool_calls import call_faults

# faults after which the order and the end of a chat can't be checked
MALFORMED = frozenset(("message_shape", "role", "legacy_functions"))
DETAILS = ("auto", "low", "high")
# the first bytes of the image types that the fine-tuning API takes
SIGNATURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF"}
PART_KEYS = {"text": {"type", "text"}, "image_url": {"type", "image_url"}}


def message_faults(
    messages: Any,
    *,
    prefix: str = "messages",
    functions: Functions | None = None,
    parallel: bool = True,
) -> Iterator[Fault]:
    """Yield what is wrong with a list of messages; `prefix` is its path in the row."""
    if not isinstance(messages, list):
        yield Fault("message_shape", f"`{prefix}` is {shown(messages)}, not a list of messages")
        return
    chat = chat_in(messages)
    if chat is not None and is_sound(chat):
        return
    if not messages:
        yield Fault("empty_messages", f"`{prefix}` is empty")
        return
    malformed = False
    for index, message in enumerate(messages):
        for fault in _message_faults(f"{prefix}[{index}]", message):
            malformed = malformed or fault.code in MALFORMED
            yield fault
    if not malformed:
        yield from call_faults(messages, functions, parallel=parallel, prefix=prefix)
        yield from _order_faults(messages, prefix)


def ending_faults(messages: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    """Yield why nothing could be learned from well-formed messages."""
    last = f"messages[{len(messages) - 1}]"
    answers = [one for one in messages if one["role"] == "assistant"]
    if not answers:
        yield Fault("missing_assistant", "no message is from the assistant")
    elif messages[-1]["role"] != "assistant":
        yield Fault("last_not_assistant", f"the last message is from the {messages[-1]['role']}", last)
    if answers and all(one.get("weight") == 0 for one in answers):
        yield Fault("nothing_to_learn", "every assistant message has weight 0", last)


def has_system(messages: Sequence[Any]) -> bool:
    """Return whether a system (or developer) message is among them."""
    return any(isinstance(one, Mapping) and one.get("role") in SYSTEM_ROLES for one in messages)


def _message_faults(place: str, message: Any) -> Iterator[Fault]:
    if not isinstance(message, Mapping):
        yield Fault("message_shape", f"{place} is not an object", place)
        return
    role = message.get("role")
    if role == LEGACY_ROLE or "function_call" in message:
        what = f"the role {LEGACY_ROLE!r}" if role == LEGACY_ROLE else "`function_call`"
        yield Fault("legacy_functions", f"{place} has {what}, the older form of tools", place)
        return
    if not isinstance(role, str) or role not in ROLES:
        near = did_you_mean(role, ROLES) if isinstance(role, str) else ""
        words = f"{place}.role is {shown(role)}" if "role" in message else f"{place} has no role"
        yield Fault("role", words + near, place)
        return
    yield from _key_faults(place, role, message)
    yield from _content_faults(place, role, message)
    name = message.get("name", "-")
    if not isinstance(name, str) or not name.strip():
        yield Fault("name", f"{place}.name is {shown(name)}", place)
    weight = message.get("weight", 0)
    if isinstance(weight, (bool, float)) or weight not in (0, 1):
        yield Fault("weight", f"{place}.weight is {shown(weight)}", place)


def _key_faults(place: str, role: str, message: Mapping[str, Any]) -> Iterator[Fault]:
    for key in message.keys() - MESSAGE_KEYS[role]:
        if key == "weight":
            yield Fault("weight", f"{place}.weight is set on a message from the {role}", place)
        elif key in ("tool_calls", "tool_call_id"):
            owner = "assistant" if key == "tool_calls" else "tool"
            words = f"{place} ({role}) has {key!r}, which belongs in messages from the {owner}"
            yield Fault("unknown_key", words, place)
        else:
            near = did_you_mean(key, sorted(MESSAGE_KEYS[role]))
            yield Fault("unknown_key", f"{place} ({role}) has the unknown key {key!r}{near}", place)


def _content_faults(place: str, role: str, message: Mapping[str, Any]) -> Iterator[Fault]:
    content = message.get("content")
    may_be_empty = (role == "tool" and content == "") or bool(message.get("tool_calls"))
    if content is None or isinstance(content, str):
        if not may_be_empty and not (content and content.strip()):
            yield Fault("empty_content", f"{place} ({role}): the content is empty", place)
    elif isinstance(content, list):
        yield from _part_faults(place, role, content)
    else:
        yield Fault("content_type", f"{place}.content is {shown(content)}, not a string", place)


def _part_faults(place: str, role: str, parts: Sequence[Any]) -> Iterator[Fault]:
    if not parts:
        yield Fault("empty_content", f"{place} ({role}): the content is empty", place)
    for number, part in enumerate(parts):
        here = f"{place}.content[{number}]"
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text":
            text = part.get("text")
            if not isinstance(text, str):
                yield Fault("content_part", f"{here}.text is {shown(text)}, not a string", here)
            elif not text.strip():
                yield Fault("empty_content", f"{here}.text is empty", here)
        elif kind == "image_url":
            yield from _image_faults(here, role, part)
        else:
            words = f"has the type {shown(kind)}" if isinstance(part, Mapping) else "is not an object"
            yield Fault("content_part", f"{here} {words}", here)
            continue
        for key in part.keys() - PART_KEYS[kind]:
            yield Fault("content_part", f"{here} has the unknown key {key!r}", here)


def _image_faults(here: str, role: str, part: Mapping[str, Any]) -> Iterator[Fault]:
    if role != "user":
        yield Fault("image_role", f"{here} is an image in a message from the {role}", here)
    image = part.get("image_url")
    if not isinstance(image, Mapping) or not isinstance(image.get("url"), str):
        yield Fault("image_url", f"{here}.image_url is {shown(image)}", here)
        return
    if image.get("detail", "auto") not in DETAILS:
        words = f"is {shown(image['detail'])}; allowed: {', '.join(DETAILS)}"
        yield Fault("image_url", f"{here}.image_url.detail {words}", here)
    for key in image.keys() - {"url", "detail"}:
        yield Fault("image_url", f"{here}.image_url has the unknown key {key!r}", here)
    reason = _url_fault(image["url"])
    if reason:
        yield Fault("image_url", f"{here}.image_url.url {shown(image['url'])}: {reason}", here)


def _url_fault(url: str) -> str | None:
    """Return why `url` can't be the address of an image, or None if it can."""
    if url.startswith("data:"):
        return _data_url_fault(url)
    try:
        split = urlsplit(url)
        host = split.hostname
    except ValueError as error:
        return str(error)
    if split.scheme in ("http", "https") and host:
        return None
    return "an image must be an http(s) URL, or a data URL such as data:image/png;base64,…"


def _data_url_fault(url: str) -> str | None:
    head, comma, body = url.partition(",")
    kind, _, encoding = head.removeprefix("data:").partition(";")
    if kind not in SIGNATURES:
        return f"the type {kind or '(none)'} is not one of {', '.join(SIGNATURES)}"
    if not comma or encoding != "base64":
        return "a data URL must start like data:image/png;base64,…"
    try:
        data = binascii.a2b_base64(body.encode(), strict_mode=True)
    except (ValueError, UnicodeEncodeError):  # binascii.Error is a ValueError
        return "what follows the comma is not base64"
    actual = next((name for name, start in SIGNATURES.items() if data.startswith(start)), None)
    return None if actual == kind else f"the bytes are {actual or 'not an image of a known type'}, not {kind}"


def _order_faults(messages: Sequence[Mapping[str, Any]], prefix: str) -> Iterator[Fault]:
    started = False
    for index, message in enumerate(messages):
        if message["role"] not in SYSTEM_ROLES:
            started = True
        elif started:
            words = f"{prefix}: a {message['role']} message comes after others"
            yield Fault("late_system", words, f"{prefix}[{index}]")
            return
