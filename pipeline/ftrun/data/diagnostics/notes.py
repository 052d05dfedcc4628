"""The faults that content checks report: the first of each code with their places, the rest counted.

They are noted without a severity; that is decided when they are reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ftrun.data.diagnostics.findings import MOST_PROBLEMS
from ftrun.protocol.faults import Fault

MOST_PLACES = 4  # named after the first
NumberedPlace = tuple[int, int]  # index into the files of the sources, line
NamedPlace = tuple[str, int]  # file as messages show it, line


class Notes:
    """A bounded list of faults with their places (None: the data as a whole), in the order of adding."""

    def __init__(self) -> None:
        self.kept: list[tuple[Fault, NumberedPlace | None]] = []
        self.uncounted: Counter[str] = Counter()
        self._times: Counter[str] = Counter()

    def add(self, fault: Fault, place: NumberedPlace | None) -> None:
        """Note a fault; beyond MOST_PROBLEMS of its code it is only counted."""
        self._times[fault.code] += 1
        if self._times[fault.code] > MOST_PROBLEMS:
            self.uncounted[fault.code] += 1
        else:
            self.kept.append((fault, place))

    def add_uncounted(self, times: Mapping[str, int]) -> None:
        """Count faults by code of which nothing else is known."""
        self.uncounted.update(times)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        kept = [[*fault, place] for fault, place in self.kept]
        return {"kept": kept, "uncounted": dict(self.uncounted)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Notes:
        """Return what `as_dict` gave."""
        notes = cls()
        for *fault, place in value["kept"]:
            notes.add(Fault(*fault), None if place is None else (place[0], place[1]))
        notes.add_uncounted(value["uncounted"])
        return notes


def merged(
    faults: Sequence[tuple[Fault, NumberedPlace]],
    uncounted: Mapping[str, int],
    place_of: Callable[[NumberedPlace], NamedPlace],
) -> Iterator[tuple[str, str, NamedPlace]]:
    """Yield code, message and first place of each code; `uncounted`: further faults by code."""
    by_code: dict[str, list[tuple[Fault, NumberedPlace]]] = {}
    for fault, place in faults:
        by_code.setdefault(fault.code, []).append((fault, place))
    for code, alike in by_code.items():
        first, begin = alike[0]
        others = list(dict.fromkeys(place for _, place in alike if place != begin))
        named = [place_of(one) for one in others[:MOST_PLACES]]
        rest = len(others) - len(named) + uncounted.get(code, 0)
        field = f"{first.field}: " if first.field else ""
        where = place_of(begin)
        yield code, f"{field}{first.message}{further_places(where[0], named, rest)}", where


def further_places(file: str, named: Sequence[NamedPlace], rest: int = 0) -> str:
    """Return the end of a message: further places, those in `file` as lines alone, and how many more."""
    if not named:
        return ""
    shown = [str(line) if name == file else f"{name}:{line}" for name, line in named]
    more = f" and in {rest} more rows" if rest > 1 else " and in another row" if rest == 1 else ""
    return f"; also at {'line ' if named[0][0] == file else ''}{', '.join(shown)}{more}"
