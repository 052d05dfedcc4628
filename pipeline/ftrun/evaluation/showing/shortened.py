"""Shorten answers for a screen: long ones are cut, and one that ends in a loop shows its loop once.

Reports and files have every answer as it is.
"""

from __future__ import annotations

from ftrun.scoring.texts.degenerate import loop_of

LONGEST = 600  # characters that are shown
MOST_LINES = 12


def shortened(text: str, *, reported: bool) -> tuple[str, str | None]:
    """Return what to show of an answer, and a note on what is left out.

    `reported`: the whole answer is in a report; else in the page that can be written.
    """
    loop = loop_of(text)
    if loop is not None:
        shown = _cut(text[: loop.start] + loop.unit)
        if reported:
            return (
                f"{shown.rstrip()}…",
                f"repeats itself {loop.times} times; the whole answer is in the report",
            )
        return f"{shown.rstrip()}…", f"repeats itself {loop.times} times; --html FILE shows the whole answer"
    shown = _cut(text)
    if shown == text:
        return text, None
    more = len(text) - len(shown)
    if reported:
        return f"{shown.rstrip()}…", f"{more:,} more characters in the report"
    return f"{shown.rstrip()}…", f"{more:,} more characters; --html FILE shows them"


def _cut(text: str) -> str:
    lines = text[:LONGEST].split("\n")
    return "\n".join(lines[:MOST_LINES])
