"""What is told of many like faults: the first few places of each code, then how many more there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ftrun.protocol.faults import Fault

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
        named = [place(one) for one in others[:MOST_PLACES]]
        rest = len(others) - len(named) + uncounted.get(code, 0)
        yield Told(code, f"{field}{first.message}{also(place(begin)[0], named, rest)}", place(begin))


def also(file: str, named: Sequence[Place], rest: int = 0) -> str:
    """Return the end of a message: further places, those in `file` as lines alone, and how many more."""
    if not named:
        return ""
    shown = [str(line) if name == file else f"{name}:{line}" for name, line in named]
    more = f" and in {rest} more rows" if rest > 1 else " and in another row" if rest == 1 else ""
    return f"; also at {'line ' if named[0][0] == file else ''}{', '.join(shown)}{more}"
