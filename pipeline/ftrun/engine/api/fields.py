"""Fields that requests of several endpoints have: streaming, metadata, lifetimes, who asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftrun.engine.api.body import Body

METADATA_PAIRS, METADATA_KEY, METADATA_VALUE = 16, 64, 512
SHORTEST_LIFE, LONGEST_LIFE = 3600, 2_592_000  # seconds, of a file
HARMLESS = ("user", "safety_identifier", "prompt_cache_key")  # identify the caller, change no answer


def read_stream(body: Body, *, with_usage: bool = True) -> tuple[bool, bool]:
    """Return whether to stream, and whether the usage should come at the end, which `with_usage` allows."""
    options, stream = body.object("stream_options"), body.flag("stream")
    if options is None:
        return stream, False
    if not stream:
        body.refuse("stream_options", "needs stream: true.")
    include_usage = with_usage and options.flag("include_usage")
    options.flag("include_obfuscation")
    options.done()
    return stream, include_usage


def take_harmless(body: Body, neutral: Mapping[str, Sequence[Any]]) -> None:
    """Take what changes no answer: `neutral` values, who asks, and metadata."""
    body.neutral(neutral)
    for name in HARMLESS:
        body.text(name)
    read_metadata(body)


def read_metadata(body: Body) -> Mapping[str, str] | None:
    """Return the metadata of a request within the API's limits."""
    pairs = body.object("metadata")
    if pairs is None:
        return None
    if len(pairs.values) > METADATA_PAIRS:
        body.refuse("metadata", f"must have at most {METADATA_PAIRS} pairs, not {len(pairs.values)}.")
    for key, value in pairs.values.items():
        if not isinstance(value, str) or len(value) > METADATA_VALUE or not 1 <= len(key) <= METADATA_KEY:
            limits = f"keys of 1 to {METADATA_KEY} and string values of at most {METADATA_VALUE} characters"
            pairs.refuse(key[:METADATA_KEY], f"is out of bounds: metadata may have {limits}.")
    return dict(pairs.values)


def read_lifetime(expires_after: Body | None) -> int | None:
    """Return the seconds after which a file expires, as a JSON request gives them; None if it doesn't."""
    if expires_after is None:
        return None
    if expires_after.text("anchor") != "created_at":
        expires_after.refuse("anchor", "must be 'created_at'.")
    seconds = expires_after.integer("seconds", least=SHORTEST_LIFE, most=LONGEST_LIFE)
    if seconds is None:
        expires_after.missing("seconds")
    expires_after.done()
    return seconds
