"""Content in parts: texts and images, their form, and what a message may hold of them."""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ftrun.protocol.faults import Fault, shown

DETAILS = ("auto", "low", "high")
# the first bytes of what the fine-tuning API takes
SIGNATURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF"}
PART_KEYS = {"text": {"type", "text"}, "image_url": {"type", "image_url"}}


def part_faults(place: str, role: str, parts: Sequence[Any]) -> Iterator[Fault]:
    """Yield what is wrong with content in parts."""
    if not parts:
        yield Fault("empty_content", f"{place} ({role}): the content is empty", place)
    for number, part in enumerate(parts):
        here = f"{place}.content[{number}]"
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text":
            yield from _text_faults(here, part)
        elif kind == "image_url":
            yield from _image_faults(here, role, part)
        else:
            words = f"has the type {shown(kind)}" if isinstance(part, Mapping) else "is no object"
            yield Fault("content_part", f"{here} {words}", here)
            continue
        for key in part.keys() - PART_KEYS[kind]:
            yield Fault("content_part", f"{here} has the unknown key {key!r}", here)


def _text_faults(here: str, part: Mapping[str, Any]) -> Iterator[Fault]:
    text = part.get("text")
    if not isinstance(text, str):
        yield Fault("content_part", f"{here}.text is {shown(text)}, not a text", here)
    elif not text.strip():
        yield Fault("empty_content", f"{here}.text is empty", here)


def _image_faults(here: str, role: str, part: Mapping[str, Any]) -> Iterator[Fault]:
    if role != "user":
        yield Fault("image_role", f"{here} is an image in a message of the {role}", here)
    image = part.get("image_url")
    if not isinstance(image, Mapping) or not isinstance(image.get("url"), str):
        yield Fault("image_url", f"{here}.image_url is {shown(image)}", here)
        return
    if image.get("detail", "auto") not in DETAILS:
        words = f"is {shown(image['detail'])}; allowed: {', '.join(DETAILS)}"
        yield Fault("image_url", f"{here}.image_url.detail {words}", here)
    for key in image.keys() - {"url", "detail"}:
        yield Fault("image_url", f"{here}.image_url has the unknown key {key!r}", here)
    reason = _refused(image["url"])
    if reason:
        yield Fault("image_url", f"{here}.image_url.url {shown(image['url'])}: {reason}", here)


def _refused(url: str) -> str | None:
    if url.startswith("data:"):
        return _refused_data(url)
    try:
        split = urlsplit(url)
        host = split.hostname
    except ValueError as error:
        return str(error)
    if split.scheme in ("http", "https") and host:
        return None
    return "an image is an http(s) address, or a data URL such as data:image/png;base64,…"


def _refused_data(url: str) -> str | None:
    head, comma, body = url.partition(",")
    kind, _, encoding = head.removeprefix("data:").partition(";")
    if kind not in SIGNATURES:
        return f"{kind or 'no type'} is none of {', '.join(SIGNATURES)}"
    if not comma or encoding != "base64":
        return "a data URL reads data:image/png;base64,…"
    try:
        data = binascii.a2b_base64(body.encode(), strict_mode=True)
    except (ValueError, UnicodeEncodeError):  # binascii.Error is a ValueError
        return "what follows the comma is no base64"
    actual = next((name for name, start in SIGNATURES.items() if data.startswith(start)), None)
    return None if actual == kind else f"the bytes are {actual or 'no image of a known type'}, not {kind}"


def images_of(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the `image_url` objects of sound messages."""
    return [
        part["image_url"]
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
        if part.get("type") == "image_url"
    ]


def image_bytes(image: Mapping[str, Any]) -> int:
    """Return about how many bytes the image of a data URL has; 0 for an address."""
    url: str = image["url"]
    return (len(url) - url.find(",") - 1) * 3 // 4 if url.startswith("data:") else 0
