"""Making one row of several: the rows of a file that share a value become one conversation, in order.

Texts wait in a temporary file; memory holds a few numbers a row and a key for each conversation.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from typing import IO, Any

from ftrun.data.diagnostics.findings import Findings
from ftrun.data.diagnostics.place import FilePlace
from ftrun.data.readers.conversation import Speakers, conversation
from ftrun.data.readers.rows import Row
from ftrun.data.readers.sources import SourceFile
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of
from ftrun.files import room_in
from ftrun.protocol.faults import nearest

LOOSE = ("jsonl", "json")  # formats in which each row has columns of its own
NUMBER = re.compile(r"(\d+)")


def grouped(
    experiment: Experiment, file: SourceFile, rows: Iterator[Row], place: FilePlace, findings: Findings
) -> Iterator[Row]:
    """Yield a row for each conversation, in the order of their first rows; what is wrong goes to `findings`.

    With templates for messages the row has the columns that are the same throughout, and the list `rows`;
    else it has `messages`, made from the columns `role` and `content`.
    """
    speakers = Speakers(experiment, file.source, place, findings)
    with room_in(tempfile.gettempdir()), tempfile.TemporaryFile() as spool:
        waiting = _Waiting(spool)
        for row in rows:
            key = _key(experiment, file, row, place, findings)
            if key is not None:
                waiting.add(key, row)
        for members in waiting.groups():
            ordered = _ordered(members, file.source.order_by)
            made = conversation(ordered, speakers)
            if made is not None:
                yield made


class _Waiting:
    """Rows in a temporary file, found again by their group."""

    def __init__(self, spool: IO[bytes]) -> None:
        self._spool = spool
        self._numbers: dict[bytes, int] = {}
        self._group_of, self._lines, self._offsets = array("I"), array("I"), array("Q")

    def add(self, key: bytes, row: Row) -> None:
        self._group_of.append(self._numbers.setdefault(key, len(self._numbers)))
        self._lines.append(row.line)
        self._offsets.append(self._spool.tell())
        self._spool.write(json.dumps(row.values, ensure_ascii=False, default=str).encode() + b"\n")

    def groups(self) -> Iterator[list[Row]]:
        """Yield the rows of each group, in the order of the file."""
        members: list[Row] = []
        group = None
        for index in sorted(range(len(self._group_of)), key=self._group_of.__getitem__):
            if self._group_of[index] != group and members:
                yield members
                members = []
            group = self._group_of[index]
            self._spool.seek(self._offsets[index])
            members.append(Row(self._lines[index], json.loads(self._spool.readline())))
        if members:
            yield members


def _key(
    experiment: Experiment, file: SourceFile, row: Row, place: FilePlace, findings: Findings
) -> bytes | None:
    """Return what the rows of a conversation have in common; None if the row lacks it."""
    source = file.source
    wanted = {"group_by": source.group_by, "order_by": (source.order_by,) if source.order_by else ()}
    missing = [(key, name) for key, names in wanted.items() for name in names if name not in row.values]
    for key, name in missing:
        near = nearest(name, [str(one) for one in row.values])
        if near is None and file.format in LOOSE:
            cure = f"Fill it in, or leave such rows out: `where: row['{name}'] is defined` in the source."
            words = f"the row has no {name!r}, which `{key}` names"
            place.add("group_value", words, row.line, hint=cure, once=True)
            continue
        words = f"{key}: {place.name} has no column {name!r}; it has: {', '.join(map(str, row.values))}"
        hint = f"Did you mean {near!r}?" if near else None
        findings.add("group_column", words, hint=hint, once=True, **place_of(experiment, *source.key, key))
    if missing:
        return None
    blank = [name for names in wanted.values() for name in names if _is_blank(row.values[name])]
    for name in blank:
        place.add("group_value", f"the column {name!r} is empty, so the row has no place", row.line)
    if blank:
        return None
    values = [str(row.values[name]).strip() for name in source.group_by]
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=16).digest()


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _ordered(members: list[Row], column: str | None) -> list[Row]:
    if column is None:
        return members
    values = [_number(row.values[column]) for row in members]
    if None not in values:
        order: Sequence[Any] = values
    else:
        order = [_natural(str(row.values[column])) for row in members]
    return [members[index] for index in sorted(range(len(members)), key=order.__getitem__)]


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Return a key that orders the numbers in texts by value: 9:05 is before 10:00."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in NUMBER.split(text) if part]
