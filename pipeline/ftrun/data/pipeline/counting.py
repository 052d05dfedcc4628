"""The numbers of the prepared files: examples, messages, tokens, leaks, and the notes of content checks.

They come from arrays with a few numbers an example; nothing here reads a file.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftrun.cost.tool_tokens import IMAGES, TOOLS
from ftrun.data.diagnostics.distribution import Bar, distribution, histogram
from ftrun.data.diagnostics.notes import Notes, NumberedPlace
from ftrun.data.pipeline.gathering import Gathered
from ftrun.data.pipeline.row_work import NO_SYSTEM, NO_USER
from ftrun.data.split.division import TRAIN
from ftrun.data.split.duplicates import leaked
from ftrun.data.types import Origin
from ftrun.experiment.places import shown_path
from ftrun.protocol.spec import SPLITS

HISTOGRAMS = ("token_histogram", "message_histogram")
Place = tuple[str, int]  # file and line


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStatistics:
    """The numbers of one prepared file. `billed_tokens` has each example capped at the model's limit."""

    examples: int
    messages: dict[str, float]
    tokens: dict[str, float]
    assistant_tokens: dict[str, float]
    missing_system: int
    missing_user: int
    over_limit: int
    billed_tokens: int
    flags: int  # what of the tokens is an estimate
    token_histogram: tuple[Bar, ...]
    message_histogram: tuple[Bar, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers that `check --json` shows."""
        hidden = ("billed_tokens", "flags", *HISTOGRAMS)
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in hidden}

    def histograms(self) -> dict[str, Any]:
        """Return both histograms as the report takes them."""
        names = (("histogram", self.token_histogram), ("message_histogram", self.message_histogram))
        return {
            name: [{"low": low, "high": high, "count": count} for low, high, count in bars]
            for name, bars in names
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """All numbers. `leaks`: how many of a part stand in an earlier one ("test validation"), and the first."""

    origin: Origin
    files: Mapping[str, FileStatistics | None]
    first_over_limit: Mapping[str, NumberedPlace] = field(default_factory=dict)
    leaks: Mapping[str, tuple[int, NumberedPlace]] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)

    def examples(self, role: str) -> int:
        """Return the number of examples of a role."""
        statistics = self.files[role]
        return statistics.examples if statistics else 0

    def place(self, project: Path, place: NumberedPlace) -> Place:
        """Return a place in a source as messages show it."""
        return shown_path(project / self.origin.files[place[0]]), place[1]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "origin": dataclasses.asdict(self.origin),
            "files": {role: one and dataclasses.asdict(one) for role, one in self.files.items()},
            "first_over_limit": dict(self.first_over_limit),
            "leaks": dict(self.leaks),
            "notes": self.notes.as_dict(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Counts:
        """Return what `as_dict` gave; TypeError, KeyError or ValueError if it is damaged."""
        return cls(
            origin=Origin.from_dict(value["origin"]),
            files={role: one and _statistics_from(one) for role, one in value["files"].items()},
            first_over_limit={role: (file, line) for role, (file, line) in value["first_over_limit"].items()},
            leaks={pair: (times, (file, line)) for pair, (times, (file, line)) in value["leaks"].items()},
            notes=Notes.from_dict(value["notes"]),
        )


def _statistics_from(value: Mapping[str, Any]) -> FileStatistics:
    bars = {name: tuple((low, high, count) for low, high, count in value[name]) for name in HISTOGRAMS}
    return FileStatistics(**{**value, **bars})


def count(gathered: Gathered, parts: bytearray, origin: Origin, limit: int) -> Counts:
    """Return the numbers of examples that are divided into `parts`; `limit` tokens are learned of each."""
    first_over_limit: dict[str, NumberedPlace] = {}
    for index in (index for index, tokens in enumerate(gathered.tokens) if tokens > limit):
        first_over_limit.setdefault(SPLITS[parts[index]], gathered.place_of(index))
    leaks: dict[str, tuple[int, NumberedPlace]] = {}
    for index, earlier in leaked(gathered.digests, parts) if any(parts) else ():
        pair = f"{SPLITS[parts[index]]} {SPLITS[earlier]}"
        times, first = leaks.get(pair, (0, gathered.place_of(index)))
        leaks[pair] = (times + 1, first)
    return Counts(
        origin=origin,
        files={
            role: _statistics(gathered, parts, part, limit) if part in (TRAIN, *set(parts)) else None
            for part, role in enumerate(SPLITS)
        },
        first_over_limit=first_over_limit,
        leaks=leaks,
        notes=gathered.notes,
    )


def _statistics(gathered: Gathered, parts: bytearray, part: int, limit: int) -> FileStatistics:
    mine = bytes(parts).translate(bytes(number == part for number in range(256)))
    times = bytes(itertools.compress(gathered.times, mine))

    def chosen(values: Iterable[int]) -> Iterable[int]:
        one_each = itertools.compress(values, mine)
        return itertools.chain.from_iterable(map(itertools.repeat, one_each, times)) if times else one_each

    return FileStatistics(
        examples=sum(times) if times else mine.count(1),
        messages=distribution(chosen(gathered.messages)),
        tokens=distribution(chosen(gathered.tokens)),
        assistant_tokens=distribution(chosen(gathered.assistant)),
        missing_system=sum(flags & NO_SYSTEM > 0 for flags in chosen(gathered.flags)),
        missing_user=sum(flags & NO_USER > 0 for flags in chosen(gathered.flags)),
        over_limit=sum(tokens > limit for tokens in chosen(gathered.tokens)),
        billed_tokens=sum(min(limit, tokens) for tokens in chosen(gathered.tokens)),
        flags=functools.reduce(operator.or_, chosen(gathered.flags), 0) & (TOOLS | IMAGES),
        token_histogram=histogram(chosen(gathered.tokens)),
        message_histogram=histogram(chosen(gathered.messages)),
    )
