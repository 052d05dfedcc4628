"""Owns the first pass over the data: every row becomes an example in a spool file, repeated ones are found.

Memory holds a few numbers an example, never its text.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ftrun.data.examples import ExampleMaker, RowRenderer
from ftrun.data.findings import Findings
from ftrun.data.place import FilePlace
from ftrun.data.rows import Row, read_rows
from ftrun.data.sources import Role, SourceFile, usable_files
from ftrun.data.split_keys import SplitKeys
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.files import canonical_json

Announce = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Gathered:
    """The examples of all sources in their order; entry i of each array belongs to line i of the spool."""

    spool: IO[bytes]
    files: list[str] = field(default_factory=list)  # relative to the project
    roles: list[Role] = field(default_factory=list)
    file_of: array[int] = field(default_factory=lambda: array("L"))
    line_of: array[int] = field(default_factory=lambda: array("Q"))
    rank_of: array[int] = field(default_factory=lambda: array("Q"))
    stratum_of: array[int] = field(default_factory=lambda: array("Q"))  # empty unless stratified
    rows: int = 0
    duplicates: int = 0
    first_duplicate: tuple[int, int] | None = None

    def add(self, messages: list[dict[str, Any]], rank: int, role: Role, line: int) -> None:
        """Write one example to the spool, with the place of its row in the newest of `files`."""
        self.spool.write(json.dumps({"messages": messages}, ensure_ascii=False).encode() + b"\n")
        self.roles.append(role)
        self.file_of.append(len(self.files) - 1)
        self.line_of.append(line)
        self.rank_of.append(rank)


def example_digest(messages: list[dict[str, Any]]) -> bytes:
    """Return 16 bytes that are equal for equal messages, whatever the order of their keys."""
    return hashlib.blake2b(canonical_json(messages), digest_size=16).digest()


def gather(
    experiment: Experiment,
    spool: IO[bytes],
    findings: Findings,
    announce: Announce | None,
    renderer: RowRenderer | None,
) -> Gathered:
    """Read all sources into `spool`; what is wrong goes to `findings`, and the good rows are gathered."""
    gathered = Gathered(spool=spool)
    keys = SplitKeys(experiment, findings)
    maker = ExampleMaker(experiment, findings, renderer)
    seen: dict[Role, set[bytes]] = {"data": set(), "validation": set(), "test": set()}
    drop = experiment.data.dedupe == "exact"
    for file, place, row in _rows(experiment, findings, gathered, announce):
        gathered.rows += 1
        messages = maker.messages_of(row, place)
        if messages is None:
            continue
        digest = example_digest(messages)
        if digest in seen[file.role]:
            gathered.duplicates += 1
            gathered.first_duplicate = gathered.first_duplicate or (len(gathered.files) - 1, row.line)
            if drop:
                continue
        seen[file.role].add(digest)
        gathered.add(messages, keys.rank_of(row, digest, file.role, place), file.role, row.line)
        if keys.stratified:
            gathered.stratum_of.append(keys.stratum_of(row, file.role, place))
    return gathered


def _rows(
    experiment: Experiment, findings: Findings, gathered: Gathered, announce: Announce | None
) -> Iterator[tuple[SourceFile, FilePlace, Row]]:
    left: dict[tuple[str | int, ...], int] = {}  # rows that a source may still give
    project = experiment.project.resolve()
    for file in usable_files(experiment, findings):
        limit = left.setdefault(file.source.key, file.source.limit) if file.source.limit is not None else None
        if limit == 0:
            continue
        place = FilePlace(shown_path(file.path), findings)
        gathered.files.append(_relative(file.path, project))
        if announce:
            announce(f"reading {place.name}")
        count = 0
        for row in read_rows(experiment, file, place, findings, limit):
            count += 1
            yield file, place, row
        if limit is not None:
            left[file.source.key] = limit - count
        if count == 0 and not findings.failed:
            place.add("no_rows", "the file has no rows", 1)


def _relative(path: Path, project: Path) -> str:
    resolved = path.parent.resolve() / path.name
    return str(resolved.relative_to(project)) if resolved.is_relative_to(project) else str(path)
