"""Dates and times as chat exports write them, in many languages."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Sequence

AFTERNOON = ("pm", "p", "午後", "下午", "오후", "晚上", "м", "م", "μμ", "du", "ch")
MORNING = ("am", "a", "午前", "上午", "오전", "凌晨", "早上", "ص", "πμ", "de", "sa")
HALF = r"[AaPp]\.?[\s\u00a0\u202f]?[Mm]\.?|午前|午後|上午|下午|오전|오후|ص|م|[πμ]\.?μ\.?"
TIME = (
    rf"(?:(?:{HALF})[\s\u00a0\u202f]?)?\d{{1,2}}[:.]\d{{2}}(?:[:.]\d{{2}})?(?:[\s\u00a0\u202f]?(?:{HALF}))?"
)
NUMBERS = re.compile(r"\d+")
NOON = 12
BUDDHIST = 2400  # years from here on are counted as in Thailand
Day = tuple[int, int, int]


def time_of(text: str) -> datetime.time | None:
    """Return the time that a text such as `6:05 PM` or `午後6:05` says."""
    hour, minute, *rest = [int(one) for one in NUMBERS.findall(text)]
    half = re.sub(r"[\d:.\s\u00a0\u202f]", "", text).casefold()
    if half in AFTERNOON and hour < NOON:
        hour += NOON
    elif half in MORNING and hour == NOON:
        hour = 0
    try:
        return datetime.time(hour % 24, minute, rest[0] if rest else 0)
    except ValueError:
        return None


def days_of(texts: Sequence[str]) -> list[datetime.date | None]:
    """Return the dates that texts such as `31.12.23` say; the order of the parts is that which fits them all.

    Where several orders fit, it is the one in which fewest dates go back, then the one with the day first.
    """
    parts: list[Day] = []
    for text in texts:
        found = [int(one) for one in NUMBERS.findall(text)]
        parts.append((found[0], found[1], found[2]) if len(found) == 3 else (0, 0, 0))
    best: tuple[tuple[int, int], list[datetime.date | None]] | None = None
    for order in ((2, 1, 0), (2, 0, 1), (0, 1, 2)):
        days = [_date(part, order) for part in parts]
        known = [day for day in days if day is not None]
        back = sum(after < before for before, after in itertools.pairwise(known))
        worth = (len(days) - len(known), back)
        if best is None or worth < best[0]:
            best = worth, days
    assert best is not None
    return best[1]


def _date(parts: Day, order: Day) -> datetime.date | None:
    year, month, day = (parts[index] for index in order)
    if year < 100:
        year += 2000
    elif year > BUDDHIST:
        year -= 543
    try:
        return datetime.date(year, month, day) if 1990 <= year <= 2100 else None
    except ValueError:
        return None
