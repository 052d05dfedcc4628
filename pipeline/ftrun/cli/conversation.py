"""How an example is printed: as the model sees it, with what it learns marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ftrun.text import visible

if TYPE_CHECKING:
    from ftrun.data.examples.views import ShownText
    from ftrun.data.pipeline.samples import PreparedExample

LEARNED, NOT_LEARNED = "▶ ", "  "
LONGEST = 70  # characters of a text in one line


def heading(sample: PreparedExample) -> str:
    """Return which example it is and where its row stands."""
    return f"{sample.split} {sample.number} · {visible(sample.file)}:{sample.line}"


def turn_lines(turns: Sequence[ShownText]) -> Iterator[str]:
    """Yield the whole conversation."""
    for turn in turns:
        learned = " (to avoid)" if turn.role == "not preferred" else " (learned)"
        mark = LEARNED if turn.trained else NOT_LEARNED
        name = f" {visible(turn.name)}" if turn.name else ""
        yield f"{mark}{visible(turn.role)}{name}{learned if turn.trained else ''}"
        for line in visible(turn.text, keep_newlines=True).split("\n"):
            yield f"    {line}"


def short_lines(turns: Sequence[ShownText]) -> Iterator[str]:
    """Yield the last question and the answer, a line each."""
    for turn in turns[-2:]:
        yield f"    {visible(turn.role)}: {one_line(turn.text)}"


def changed_lines(before: Sequence[ShownText], now: Sequence[ShownText]) -> Iterator[str]:
    """Yield what differs, each text in a line, cut where both begin alike for long."""
    for index in range(max(len(before), len(now))):
        old, new = (turns[index] if index < len(turns) else None for turns in (before, now))
        if old != new:
            start = _common_start(old.text, new.text) if old and new else 0
            for mark, turn in (("-", old), ("+", new)):
                if turn is not None:
                    weight = "" if turn.trained or turn.role != "assistant" else " (not learned)"
                    yield f"  {mark} {visible(turn.role)}{weight}: {one_line(turn.text, start)}"


def one_line(text: str, start: int = 0) -> str:
    """Return a text from `start` on in one line of bounded length."""
    begin = max(0, start - LONGEST // 3) if start > LONGEST // 2 else 0
    part = " ".join(text[begin : begin + 4 * LONGEST].split())
    cut = part if len(part) <= LONGEST and begin + 4 * LONGEST >= len(text) else f"{part[: LONGEST - 1]}…"
    return visible(f"…{cut}" if begin else cut)


def _common_start(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
