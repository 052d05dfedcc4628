"""Excerpts of texts for messages: short, in quotes, and without anybody's secrets or personal data."""

from __future__ import annotations

AROUND = 12  # characters shown before what was found
LONGEST = 40  # characters of an excerpt


def excerpt(text: str, start: int = 0) -> str:
    """Return some characters of `text` around `start` in quotes; secrets and personal data are hidden."""
    from ftrun.data.quality.pii import redacted  # found things only: its patterns cost a millisecond

    shown = redacted(text)  # as a whole: a secret that is cut would not be known as one
    begin = max(0, start - AROUND) if shown == text else 0
    part = " ".join(shown[begin : begin + LONGEST].split())
    head, tail = "…" if begin else "", "…" if begin + LONGEST < len(shown) else ""
    return f"“{head}{part}{tail}”"
