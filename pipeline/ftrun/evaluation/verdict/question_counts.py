"""Numbers of questions as people say them, and how many nobody would write."""

from __future__ import annotations

import math

SOME = 20  # more questions than these are rounded to tens
MANY = 20_000  # questions; nobody writes more to settle a verdict


def rounded_up(count: float) -> int:
    """Return a number of questions as people say it: to fives, tens, or two digits."""
    unit = 5 if count <= SOME else max(10, 10 ** (math.floor(math.log10(count)) - 1))
    return max(5, math.ceil(count / unit) * unit)
