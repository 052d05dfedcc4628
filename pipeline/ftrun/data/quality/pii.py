"""What happens to personal data and secrets: warn, block, or replace them by a stable token."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal

from ftrun.data.quality.credentials import KNOWN, secrets
from ftrun.data.quality.fictitious import is_fictitious
from ftrun.data.quality.personal_data import SensitiveSpan, personal
from ftrun.protocol.faults import Fault
from ftrun.protocol.texts import NO_TEXT, Text

Action = Literal["off", "warn", "block", "mask"]
WORDS = {
    "email": "e-mail address",
    "phone": "phone number",
    "my_number": "My Number",
    "card": "card number",
    "postcode": "postcode",
    "secret": "secret",
}
KINDS = tuple(WORDS)
DEFAULTS: Mapping[str, Action] = {**dict.fromkeys(KINDS, "warn"), "secret": "block"}
TOKENS = {kind: f"[{kind.upper()}]" for kind in KINDS}
AROUND, LONGEST_EXCERPT = 12, 40  # characters of an excerpt: before the place, and in all


def actions(given: Mapping[str, Any] | str | None) -> dict[str, Action]:
    """Return the action for each kind: `data.pii` over the defaults.

    One word is for all kinds, but `off` and `warn` leave secrets blocked unless `secret` is named.
    """
    if given is None:
        return dict(DEFAULTS)
    if isinstance(given, str):
        every = dict.fromkeys(KINDS, given)
        return {**every, "secret": given if given in ("block", "mask") else "block"}  # type: ignore[dict-item]
    return {**DEFAULTS, **given}


def masked_kinds(pii: Mapping[str, str] | str | None) -> tuple[str, ...]:
    """Return the masked kinds, sorted."""
    return tuple(sorted(kind for kind, action in actions(pii).items() if action == "mask"))


def spans(text: str) -> list[SensitiveSpan]:
    """Return the secrets in a text, then the personal data; none overlaps another."""
    found = list(secrets(text))
    for span in personal(text):
        if not any(span.start < one.end and one.start < span.end for one in found):
            found.append(span)
    return found


def exposed(text: Text) -> Iterator[Fault]:
    """Yield a fault for each personal data and secret in a text that may be somebody's; they are redacted."""
    for span in spans(text.text):
        if is_fictitious(text.text, span):
            continue
        shown = hidden(span.kind, text.text[span.start : span.end])
        name = span.name or WORDS[span.kind]
        article = "an" if name[0] in "aeioO" else "a"
        yield Fault(f"pii_{span.kind}", f"{article} {name} is in the text: {shown}", text.field)


def hidden(kind: str, value: str) -> str:
    """Return a form of a value that lets its owner recognize it, but nobody use it."""
    if kind == "email":
        return f"{value[0]}…@{re.split('[@＠]', value)[-1]}"
    if kind == "secret":
        prefix = f"{value[:4]}… " if KNOWN.match(value) else ""  # nothing of a password
        return f"{prefix}({len(value)} characters)"
    return f"{value[:3]}…" if kind in ("phone", "postcode") else f"({len(value)} characters)"


def redacted(text: str, kinds: Collection[str] = KINDS, counts: Counter[str] | None = None) -> str:
    """Return `text` with the secrets and personal data of `kinds` replaced by their tokens; count them."""
    found = sorted((span for span in spans(text) if span.kind in kinds), key=lambda one: one.start)
    parts, at = [], 0
    for span in found:
        parts += [text[at : span.start], TOKENS[span.kind]]
        at = span.end
    if counts is not None:
        counts.update(span.kind for span in found)
    return "".join((*parts, text[at:]))


def excerpt(text: str, start: int = 0, *, around: int = AROUND, longest: int = LONGEST_EXCERPT) -> str:
    """Return some characters of `text` around `start` in quotes, with secrets and personal data hidden."""
    shown = redacted(text)  # the whole text: a secret that is cut off would not be recognized
    if shown != text:  # the place moves with what is replaced before it
        start = len(redacted(text[:start]))
    begin = max(0, min(start, len(shown)) - around)
    part = " ".join(shown[begin : begin + longest].split())
    head, tail = "…" if begin else "", "…" if begin + longest < len(shown) else ""
    return f"“{head}{part}{tail}”"


def mask(value: Any, kinds: tuple[str, ...], counts: Counter[str]) -> Any:
    """Return a row (or part of one) with the kinds in its texts replaced by tokens, adding to `counts`."""
    if isinstance(value, str):
        return redacted(value, kinds, counts)
    if isinstance(value, Mapping):
        return {key: one if key in NO_TEXT else mask(one, kinds, counts) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask(one, kinds, counts) for one in value]
    return value
