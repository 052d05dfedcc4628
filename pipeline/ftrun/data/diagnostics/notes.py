"""What content checks said of the examples: the first faults of each code, the rest counted.

How bad they are is decided when they are told, not when they are noted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from ftrun.data.diagnostics.findings import MOST_PROBLEMS
from ftrun.protocol.faults import Fault

NumberedPlace = tuple[int, int]  # index into the files of the sources, line


class Note(NamedTuple):
    """A fault and where it stands; None: in the data as a whole."""

    fault: Fault
    place: NumberedPlace | None


class Notes:
    """A bounded list of notes, in the order in which they were added."""

    def __init__(self) -> None:
        self.kept: list[Note] = []
        self.uncounted: Counter[str] = Counter()
        self._times: Counter[str] = Counter()

    def add(self, fault: Fault, place: NumberedPlace | None) -> None:
        """Note a fault; beyond a number of its code it is only counted."""
        self._times[fault.code] += 1
        if self._times[fault.code] > MOST_PROBLEMS:
            self.uncounted[fault.code] += 1
        else:
            self.kept.append(Note(fault, place))

    def add_uncounted(self, times: Mapping[str, int]) -> None:
        """Count faults by code of which nothing else is known."""
        self.uncounted.update(times)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        kept = [[*note.fault, note.place] for note in self.kept]
        return {"kept": kept, "uncounted": dict(self.uncounted)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Notes:
        """Return what `as_dict` gave."""
        notes = cls()
        for *fault, place in value["kept"]:
            notes.add(Fault(*fault), None if place is None else (place[0], place[1]))
        notes.add_uncounted(value["uncounted"])
        return notes
