"""Shorten answers for a screen: long ones are cut, and one that ends in a loop shows its loop once.

Reports and files have every answer as it is.
"""

from __future__ import annotations

from typing import NamedTuple

LONGEST = 600  # characters that are shown
MOST_LINES = 12
FEWEST_TIMES = 4
SHORTEST_LOOP = 150  # characters; shorter ones fill no screen, and may be meant
LOOKED_AT = 20_000  # characters at the end


class Loop(NamedTuple):
    """How a text ends: from `start` on, the part `unit` again and again, `times` in full."""

    start: int
    unit: str
    times: int


def loop_of(text: str) -> Loop | None:
    """Return the loop that the text ends in; None if its end does not repeat."""
    tail = text.rstrip()[-LOOKED_AT:]
    turned = tail[::-1]
    borders, longest, period = [0] * len(turned), 0, 0
    for index in range(1, len(turned)):  # Knuth, Morris and Pratt's prefix function
        length = borders[index - 1]
        while length and turned[index] != turned[length]:
            length = borders[length - 1]
        borders[index] = length + (turned[index] == turned[length])
        size, every = index + 1, index + 1 - borders[index]
        if size >= max(SHORTEST_LOOP, FEWEST_TIMES * every):
            longest, period = size, every
    if not longest:
        return None
    start = len(text.rstrip()) - longest
    return Loop(start, text[start : start + period], round(longest / period))


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
