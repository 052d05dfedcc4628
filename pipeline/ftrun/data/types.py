"""The values that the parts of `data` share: rows and their marks, and the result of preparing.

The facts about prepared files go into the state; sources.jsonl, which says where each example comes from,
stays in the run's folder. The mark says what made a generated row; it is removed where a row is read, so
templates, checks and training files never see it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ftrun.experiment.places import shown_path
from ftrun.protocol.spec import SPLITS

SOURCES = "sources.jsonl"
MARK = "_ftrun"
BUNDLED = "ftrun:"  # begins the name of a file that ships with ftrun
DAMAGED = (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedFile:
    """One written file of chat examples."""

    path: Path
    sha256: str
    bytes: int
    examples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What preparing gave. `rows` were read, `duplicates` of them repeat earlier ones exactly; `dropped`
    of these were left out (all or none).
    """

    folder: Path
    files: Mapping[str, PreparedFile]
    rows: int
    duplicates: int
    dropped: int

    def to_dict(self) -> dict[str, Any]:
        """Return the facts for the state: no folder, so that a moved project has the same."""
        return {
            "files": {
                role: {"sha256": file.sha256, "bytes": file.bytes, "examples": file.examples}
                for role, file in self.files.items()
            },
            "rows": self.rows,
            "duplicates": self.duplicates,
            "dropped": self.dropped,
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any], folder: Path) -> Prepared:
        """Return what `to_dict` gave, for files in `folder`."""
        files = {
            role: PreparedFile(path=folder / f"{role}.jsonl", **file) for role, file in facts["files"].items()
        }
        counts = {name: int(facts[name]) for name in ("rows", "duplicates", "dropped")}
        return cls(folder=folder, files=files, **counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The head of sources.jsonl: file names relative to the project, counts, what the rows gave rise to."""

    files: Sequence[str] = ()
    rows: int = 0
    duplicates: int = 0
    duplicate_places: Sequence[tuple[int, int]] = ()  # index into `files`, line
    near: int = 0  # rows left out as they nearly repeat earlier ones
    near_places: Sequence[tuple[int, int]] = ()
    warnings: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    masked: Mapping[str, int] = field(default_factory=dict)  # how many were replaced, by kind
    replay: Sequence[int] = ()  # those of `files` whose rows are general ones, not the user's data
    test_groups: Sequence[
        str
    ] = ()  # of `split.group_by`: the group of each test example, in the file's order

    @classmethod
    def from_dict(cls, head: Mapping[str, Any]) -> Origin:
        """Return the head that was written; TypeError, KeyError or ValueError if it is damaged."""
        head = {**head}
        for name in ("duplicate", "near"):
            first = head.pop(f"first_{name}", None)  # as older versions wrote it
            places = head.get(f"{name}_places") or ([first] if first else ())
            head[f"{name}_places"] = tuple((file, line) for file, line in places)
        return cls(**head)


def shown_source(project: Path, name: str) -> str:
    """Return the name of a file of `Origin.files` as messages show it."""
    return name if name.startswith(BUNDLED) else shown_path(project / name)


Place = tuple[str, int, int]  # role, index into Origin.files, line


def origin_lines(origin: Origin, places: Iterable[Place]) -> Iterator[bytes]:
    """Yield the lines of sources.jsonl: the head, then one per written example, in source order."""
    values = dataclasses.asdict(origin)
    for name in ("replay", "test_groups"):  # earlier versions read a head that has neither
        if not values[name]:
            del values[name]
    head = json.dumps(values, ensure_ascii=False)
    yield head.encode(errors="backslashreplace") + b"\n"  # a file's name may not be text
    yield from map(place_line, places)


def place_line(place: Place) -> bytes:
    """Return the line about one written example."""
    role, file, line = place
    return f'["{role}", {file}, {line}]\n'.encode()


def read_places(folder: Path) -> tuple[Origin, dict[str, list[tuple[int, int]]]]:
    """Return the head of sources.jsonl and, by role, file and line of each example; less if it is damaged."""
    origin, by_role = Origin(), {role: list[tuple[int, int]]() for role in SPLITS}
    with contextlib.suppress(*DAMAGED), (folder / SOURCES).open("rb") as file:
        origin, places = read_origin(file)
        for role, index, line in places:
            by_role[role].append((index, line))
    return origin, by_role


def read_origin(lines: Iterator[bytes]) -> tuple[Origin, Iterator[Place]]:
    """Return what `origin_lines` wrote; ValueError if it is damaged."""
    origin = Origin.from_dict(json.loads(next(lines, b"")))
    return origin, ((role, file, line) for role, file, line in map(json.loads, lines))


class Mark(NamedTuple):
    """What a generated row says of itself. `seed`: digest of the row that it rewords; None: of no row."""

    id: str
    seed: str | None


class Row(NamedTuple):
    """One row and the line (from 1) at which it starts; its number where there are no lines.

    `mark`: it was generated. `lines`: those of the messages, where it is a conversation of several rows.
    `places`: by the path of a message that a `shape` made, or of its content, its place in the file's row.
    """

    line: int
    values: Mapping[str, object]
    mark: Mark | None = None
    lines: tuple[int, ...] = ()
    places: Mapping[str, str] | None = None


def marked(values: Mapping[str, Any], mark: Mark) -> dict[str, Any]:
    """Return a row with its mark."""
    return {**values, MARK: mark._asdict()}


def take_mark(values: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mark | None]:
    """Return a row without its mark, and the mark; one that can't be read belongs to no row there is."""
    if MARK not in values:
        return values, None
    rest = {name: value for name, value in values.items() if name != MARK}
    found = values[MARK]
    if not isinstance(found, Mapping):
        return rest, Mark("", "")
    seed = found.get("seed", "")
    return rest, Mark(str(found.get("id", "")), None if seed is None else str(seed))


def row_digest(values: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return 32 hex digits that are equal for rows of equal values, whatever the order of their columns."""
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
