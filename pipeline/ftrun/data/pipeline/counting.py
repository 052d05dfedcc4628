"""The numbers of the prepared files: examples, messages, tokens, leaks, and the notes of content checks.

They are stored as tally.json next to the files that they apply to. If they no longer apply (another model,
changed files, a lost file), the prepared files are counted again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import operator
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftrun.cost.models import encoding_of, family, limit_of
from ftrun.cost.tool_tokens import IMAGES, TOOLS
from ftrun.data.diagnostics.distribution import Bar, distribution, histogram
from ftrun.data.diagnostics.findings import Findings
from ftrun.data.diagnostics.notes import Notes, NumberedPlace
from ftrun.data.pipeline.corpus_checks import compare
from ftrun.data.pipeline.gathered import Gathered, Spool
from ftrun.data.pipeline.gathering import gather
from ftrun.data.pipeline.row_work import NO_SYSTEM, NO_USER, damaged_file
from ftrun.data.quality.checks import CHECKS_VERSION, check_options
from ftrun.data.readers.sources import Role, SourceFile
from ftrun.data.split.division import TRAIN
from ftrun.data.split.duplicates import leaked
from ftrun.data.types import Origin, read_places, shown_source
from ftrun.errors import DataError
from ftrun.experiment.model import Experiment, Source
from ftrun.files import room_in, sha256_file, write_json
from ftrun.protocol.spec import SPLITS

OWN_ROLE: dict[str, Role] = {"train": "data", "validation": "validation", "test": "test"}
WRITTEN = Source(path="", base=Path(), key=())
TALLY = "tally.json"
MOST = 255  # copies of an example; the schema allows a weight of 100
COUNT_VERSION = 4  # raise it when the same files would give other numbers
HISTOGRAMS = ("token_histogram", "message_histogram")
Place = tuple[str, int]  # file and line
Places = Sequence[NumberedPlace]


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
    flags: int  # TOOLS | IMAGES: whose tokens are estimated
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
    """All numbers.

    `leaks`: how many of a split are also in an earlier one, and where they are. `language`: that of the
    training data (ISO 639-1), None if it is not clear.
    """

    origin: Origin
    files: Mapping[str, FileStatistics | None]
    over_limit: Mapping[str, Places] = field(default_factory=dict)
    leaks: Mapping[str, tuple[int, Places]] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)
    language: str | None = None

    def examples(self, role: str) -> int:
        """Return the number of examples of a role."""
        statistics = self.files[role]
        return statistics.examples if statistics else 0

    def place(self, project: Path, place: NumberedPlace) -> Place:
        """Return a place in a source as messages show it."""
        return shown_source(project, self.origin.files[place[0]]), place[1]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "origin": dataclasses.asdict(self.origin),
            "files": {role: one and dataclasses.asdict(one) for role, one in self.files.items()},
            "over_limit": dict(self.over_limit),
            "leaks": dict(self.leaks),
            "notes": self.notes.as_dict(),
            "language": self.language,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Counts:
        """Return what `as_dict` gave; TypeError, KeyError or ValueError if it is damaged."""
        return cls(
            origin=Origin.from_dict(value["origin"]),
            files={role: one and _statistics_from(one) for role, one in value["files"].items()},
            over_limit={role: _places_from(places) for role, places in value["over_limit"].items()},
            leaks={pair: (times, _places_from(places)) for pair, (times, places) in value["leaks"].items()},
            notes=Notes.from_dict(value["notes"]),
            language=value["language"],
        )


def _places_from(value: Iterable[Any]) -> Places:
    return [(file, line) for file, line in value]


def _statistics_from(value: Mapping[str, Any]) -> FileStatistics:
    bars = {name: tuple((low, high, count) for low, high, count in value[name]) for name in HISTOGRAMS}
    return FileStatistics(**{**value, **bars})


def count(gathered: Gathered, parts: bytearray, origin: Origin, limit: int) -> Counts:
    """Return the numbers of examples that are divided into `parts`; `limit` tokens are learned of each."""
    over_limit: dict[str, list[int]] = {}
    for index in (index for index, tokens in enumerate(gathered.tokens) if tokens > limit):
        over_limit.setdefault(SPLITS[parts[index]], []).append(index)
    leaks: dict[str, list[int]] = {}
    for index, earlier in leaked(gathered.digests, parts) if any(parts) else ():
        leaks.setdefault(f"{SPLITS[parts[index]]} {SPLITS[earlier]}", []).append(index)
    return Counts(
        origin=origin,
        files={
            role: _statistics(gathered, parts, part, limit) if part in (TRAIN, *set(parts)) else None
            for part, role in enumerate(SPLITS)
        },
        over_limit={role: gathered.places_of(indices) for role, indices in over_limit.items()},
        leaks={pair: (len(indices), gathered.places_of(indices)) for pair, indices in leaks.items()},
        notes=gathered.notes,
        language=gathered.language,
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


def write_tally(experiment: Experiment, folder: Path, hashes: dict[str, str], counted: Counts) -> None:
    """Store the numbers of the prepared files that have these SHA-256."""
    write_json(folder / TALLY, {"holds for": _key(experiment, hashes), **counted.as_dict()})


def read_tally(experiment: Experiment, folder: Path) -> Counts:
    """Return the numbers of the prepared files of `folder`, counted again if the stored ones don't apply.

    DataError if the files are not there or damaged.
    """
    paths = {role: folder / f"{role}.jsonl" for role in SPLITS}
    hashes = {role: sha256_file(path) for role, path in paths.items() if path.is_file()}
    if "train" not in hashes:
        hint = "Run `ftrun run CONFIG`."
        raise DataError(f"{folder} has no prepared files", code="not_prepared", hint=hint)
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        stored = json.loads((folder / TALLY).read_bytes())
        if stored["holds for"] == _key(experiment, hashes):
            return Counts.from_dict(stored)
    return _recount(experiment, folder, tuple(hashes))


def _key(experiment: Experiment, hashes: dict[str, str]) -> dict[str, Any]:
    return {
        "count version": COUNT_VERSION,
        "checks version": CHECKS_VERSION,
        "check options": check_options(experiment),
        "encoding": encoding_of(experiment.target).name,
        "family": family(experiment.target.model),
        "limit": limit_of(experiment.target),
        "sha256": hashes,
    }


def _recount(experiment: Experiment, folder: Path, roles: Sequence[str]) -> Counts:
    origin, places = read_places(folder)
    spooled, findings = Path(tempfile.gettempdir()), Findings()
    files = [
        SourceFile(path=folder / f"{role}.jsonl", source=WRITTEN, role=OWN_ROLE[role], format="jsonl")
        for role in roles
    ]
    with room_in(spooled), Spool(spooled) as spool:
        gathered = gather(experiment, files, spool, findings, written=True)
        for error in findings.errors:
            raise damaged_file(error.file, error.line)
        located = [place for role in roles for place in places[role]]
        if len(located) == len(gathered):
            gathered.locate(origin.files, located)
            _fold(gathered)
            general = gathered.take_out(min(origin.replay)) if origin.replay else None
        else:  # without sources.jsonl the places are those of the prepared files
            origin = dataclasses.replace(origin, files=gathered.files, duplicate_places=(), replay=())
            general = None
        compare(experiment, gathered, gathered.roles)
        if general is not None:
            gathered.roles = gathered.mix(*general, gathered.roles)
        return count(gathered, gathered.roles, origin, limit_of(experiment.target))


def _fold(gathered: Gathered) -> None:
    """Take examples of one place that follow one another, as a weight writes them, for one."""
    places = itertools.pairwise(gathered.place_of(index) for index in range(len(gathered)))
    again = bytearray(itertools.chain((0,), (one == next_one for one, next_one in places)))
    if not any(again):
        return
    times = bytearray()
    for repeats in again:
        if repeats and times[-1] < MOST:
            times[-1] += 1
        elif not repeats:
            times.append(1)
    gathered.leave_out(again)
    gathered.times = times
