"""The faults that content checks report: the first of each code with their places, the rest counted.

They are noted without a severity; that is decided when they are reported.
"""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ftrun.data.diagnostics.findings import MOST_LISTED, MOST_PROBLEMS
from ftrun.protocol.faults import Fault

MOST_PLACES = 4  # named after the first
NumberedPlace = tuple[int, int]  # index into the files of the sources, line
NamedPlace = tuple[str, int]  # file as messages show it, line


class Note(NamedTuple):
    """A fault and where it is, the first place first; nowhere: it is about the data as a whole."""

    fault: Fault
    places: tuple[NumberedPlace, ...] = ()


class Notes:
    """A bounded list of faults with their places, in the order of adding."""

    def __init__(self) -> None:
        self.kept: list[Note] = []
        self.uncounted: Counter[str] = Counter()
        self._beyond: dict[str, array[int]] = {}  # places of what is only counted: file, line, file, line …
        self._times: Counter[str] = Counter()

    def add(self, fault: Fault, places: Iterable[NumberedPlace]) -> None:
        """Note a fault; beyond MOST_PROBLEMS of its code it is only counted, with its places."""
        self._times[fault.code] += 1
        if self._times[fault.code] > MOST_PROBLEMS:
            self.add_uncounted(fault.code, 1, places)
        else:
            self.kept.append(Note(fault, tuple(itertools.islice(places, MOST_LISTED))))

    def add_uncounted(self, code: str, times: int, places: Iterable[NumberedPlace]) -> None:
        """Count faults of which nothing but their places is known."""
        self.uncounted[code] += times
        beyond = self._beyond.setdefault(code, array("I"))
        if len(beyond) < 2 * MOST_LISTED:
            beyond.extend(itertools.chain.from_iterable(places))

    def beyond(self, code: str) -> list[NumberedPlace]:
        """Return the places of the faults of a code that are only counted."""
        flat = self._beyond.get(code, ())
        return list(zip(flat[::2], flat[1::2], strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        kept = [[*fault, places] for fault, places in self.kept]
        beyond = {code: list(flat) for code, flat in self._beyond.items()}
        return {"kept": kept, "uncounted": dict(self.uncounted), "beyond": beyond}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Notes:
        """Return what `as_dict` gave."""
        notes = cls()
        for *fault, places in value["kept"]:
            notes.add(Fault(*fault), [(file, line) for file, line in places])
        notes.uncounted.update(value["uncounted"])
        notes._beyond = {code: array("I", flat) for code, flat in value["beyond"].items()}
        return notes


class Merged(NamedTuple):
    """All faults of one code in texts, as one finding."""

    code: str
    message: str
    places: list[NamedPlace]


def merged(
    notes: Sequence[Note], all_notes: Notes, place_of: Callable[[NumberedPlace], NamedPlace]
) -> Iterator[Merged]:
    """Yield one finding for each code of `notes`; `all_notes` knows those that are only counted."""
    by_code: dict[str, list[Note]] = {}
    for note in notes:
        by_code.setdefault(note.fault.code, []).append(note)
    for code, alike in by_code.items():
        first, (begin, *_) = alike[0]
        others = list(dict.fromkeys(note.places[0] for note in alike if note.places[0] != begin))
        named = [place_of(one) for one in others[:MOST_PLACES]]
        rest = len(others) - len(named) + all_notes.uncounted.get(code, 0)
        field = f"{first.field}: " if first.field else ""
        where = place_of(begin)
        places = [where, *map(place_of, dict.fromkeys((*others, *all_notes.beyond(code))))]
        yield Merged(code, f"{field}{first.message}{further_places(where[0], named, rest)}", places)


def further_places(file: str, named: Sequence[NamedPlace], rest: int = 0) -> str:
    """Return the end of a message: further places, those in `file` as lines alone, and how many more."""
    if not named:
        return ""
    shown = [str(line) if name == file else f"{name}:{line}" for name, line in named]
    listed = ", ".join(shown)
    if named[0][0] == file:
        alone, one = f"; also at line {listed}", f"; also at line {listed} and in another row"
        several = f"; also at line {listed} and in {rest} more rows"
    else:
        alone, one = f"; also at {listed}", f"; also at {listed} and in another row"
        several = f"; also at {listed} and in {rest} more rows"
    return several if rest > 1 else one if rest else alone
