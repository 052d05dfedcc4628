"""Owns what is told of many like faults: the first few places of each code, then how many more there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ftrun.data.faults import Fault

MOST_PLACES = 4  # named beside the first
Place = tuple[str, int]


class Told(NamedTuple):
    """One message for all faults of a code, at the first place."""

    code: str
    message: str
    place: Place


def told(
    faults: Sequence[tuple[Fault, tuple[int, int]]],
    uncounted: Mapping[str, int],
    place: Callable[[tuple[int, int]], Place],
) -> Iterator[Told]:
    """Yield a message for each code. `uncounted`: faults by code beyond those that are given."""
    by_code: dict[str, list[tuple[Fault, tuple[int, int]]]] = {}
    for fault, where in faults:
        by_code.setdefault(fault.code, []).append((fault, where))
    for code, alike in by_code.items():
        first, begin = alike[0]
        others = list(dict.fromkeys(where for _, where in alike if where != begin))
        field = f"{first.field}: " if first.field else ""
        note = _others(place(begin)[0], [place(one) for one in others[:MOST_PLACES]])
        rest = len(others) - MOST_PLACES + uncounted.get(code, 0)
        more = f" and in {rest} more rows" if rest > 1 else " and in another row" if rest == 1 else ""
        yield Told(code, f"{field}{first.message}{note}{more}", place(begin))


def _others(file: str, places: Sequence[Place]) -> str:
    """Return the further places, of which those in the first one's file are lines alone."""
    if not places:
        return ""
    shown = [str(line) if name == file else f"{name}:{line}" for name, line in places]
    return f"; also at {'line ' if places[0][0] == file else ''}{', '.join(shown)}"
