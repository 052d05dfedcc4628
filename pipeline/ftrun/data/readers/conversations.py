"""Conversations: the rows of a file that share a value become one row, with their messages in order.

Texts wait in a temporary file; memory holds a few numbers a row and a key for each conversation.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from ftrun.data.diagnostics.findings import FilePlace
from ftrun.data.readers.selection import MESSAGE_COLUMNS
from ftrun.data.readers.sources import SourceFile
from ftrun.data.types import Row
from ftrun.experiment.model import Experiment, Source
from ftrun.experiment.places import place_of
from ftrun.files import room_in
from ftrun.protocol.faults import nearest
from ftrun.protocol.spec import ROLES

LOOSE = ("jsonl", "json")  # formats in which each row has columns of its own
NUMBER = re.compile(r"(\d+)")


def grouped(experiment: Experiment, file: SourceFile, rows: Iterator[Row], place: FilePlace) -> Iterator[Row]:
    """Yield a row for each conversation, in the order of their first rows.

    With templates for messages the row has the columns that are the same throughout, and the list `rows`;
    else it has `messages`, made from the columns `role` and `content`.
    """
    speakers = Speakers(experiment, file.source, place)
    with room_in(tempfile.gettempdir()), tempfile.TemporaryFile() as spool:
        waiting = _Waiting(spool)
        for row in rows:
            key = _key(experiment, file, row, place)
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


def _key(experiment: Experiment, file: SourceFile, row: Row, place: FilePlace) -> bytes | None:
    """Return what the rows of a conversation have in common; None if the row lacks it."""
    source = file.source
    wanted = {"group_by": source.group_by, "order_by": (source.order_by,) if source.order_by else ()}
    missing = [(key, name) for key, names in wanted.items() for name in names if name not in row.values]
    for key, name in missing:
        near = nearest(name, [str(one) for one in row.values])
        if near is None and file.format in LOOSE:
            fix = f"Fill it in, or leave such rows out: `where: row['{name}'] is defined` on the source."
            words = f"the row has no {name!r}, which `{key}` names"
            place.add("group_value", words, row.line, hint=fix, once=True)
            continue
        words = f"{key}: {place.name} has no column {name!r}; it has: {', '.join(map(str, row.values))}"
        hint = f"Did you mean {near!r}?" if near else None
        where = place_of(experiment, *source.key, key)
        place.findings.add("group_column", words, hint=hint, once=True, **where)
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


class Speakers:
    """Knows the roles of a source's rows, and whether its conversations are made from columns at all."""

    def __init__(self, experiment: Experiment, source: Source, place: FilePlace) -> None:
        prompt = experiment.prompt
        self.by_templates = bool(prompt.user or prompt.assistant or prompt.messages)
        self.learns = experiment.train.method == "supervised"
        self.place = place
        self._where = place_of(experiment, *source.key, "group_by")
        given = (source.roles or {}).items()
        self._role_of = {name.strip(): role for role, names in given for name in names}

    def role_of(self, row: Row) -> str | None:
        """Return the role of the API; None, with a problem, if nothing says who that is."""
        value = str(row.values["role"]).strip()
        role = self._role_of.get(value) or (value.lower() if value.lower() in ROLES else None)
        if role is None:
            hint = f"Set the role on the source: roles: {{user: {value or '...'}}}, or assistant: …"
            words = f"the role is {value!r}, which is none of {', '.join(ROLES)}"
            self.place.add("group_role", words, row.line, hint=hint, once=True)
        return role

    def has_columns(self, row: Row) -> bool:
        """Return whether the row says who speaks and what, with a problem if not."""
        missing = [name for name in ("role", "content") if name not in row.values]
        if missing:
            words = f"grouped rows need the column{'s' if len(missing) > 1 else ''} {' and '.join(missing)}"
            words += f"; {self.place.name} has: {', '.join(map(str, row.values))}"
            self.place.findings.add("group_messages", words, once=True, **self._where)
        return not missing


def conversation(members: Sequence[Row], speakers: Speakers) -> Row | None:
    """Return one row for the rows of a conversation; None if it has errors or nothing to learn."""
    common = _common(members)
    if speakers.by_templates:
        values = {**common, "rows": [dict(row.values) for row in members]}
        return Row(members[0].line, values)
    if not speakers.has_columns(members[0]):
        return None
    said = [(row, speakers.role_of(row)) for row in members]
    if any(role is None for _, role in said):
        return None
    if speakers.learns:
        said = _until_the_last_answer(said, speakers.place)
    if not said:
        return None
    others = {name: value for name, value in common.items() if name not in MESSAGE_COLUMNS}
    messages = [_message(str(role), row.values) for row, role in said]
    return Row(members[0].line, {**others, "messages": messages}, lines=tuple(row.line for row, _ in said))


def _common(members: Sequence[Row]) -> dict[str, Any]:
    """Return the columns that have the same value in all rows."""
    first = members[0].values
    return {
        name: value
        for name, value in first.items()
        if all(row.values.get(name) == value for row in members[1:])
    }


def _until_the_last_answer(
    said: list[tuple[Row, str | None]], place: FilePlace
) -> list[tuple[Row, str | None]]:
    """Return the rows up to the assistant's last one: nothing is learned from what follows."""
    answers = [index for index, (_, role) in enumerate(said) if role == "assistant"]
    if not answers:
        words = "conversations without a message of the assistant are left out"
        place.add("group_without_answer", words, said[0][0].line, once=True)
        return []
    if answers[-1] < len(said) - 1:
        words = "what follows the last answer of a conversation is left out"
        place.add("group_end", words, said[answers[-1] + 1][0].line, once=True)
    return said[: answers[-1] + 1]


def _message(role: str, values: Mapping[str, Any]) -> dict[str, Any]:
    message = {"role": role, "content": values["content"]}
    for key in MESSAGE_COLUMNS[2:]:
        value = values.get(key)
        if value is not None and value != "":
            message[key] = _read(value) if key in ("weight", "tool_calls") else value
    if "tool_calls" in message and not message["content"]:
        del message["content"]
    return message


def _read(value: Any) -> Any:
    """Return a number or a list that a table holds as text; what can't be read stays for the checks."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(value)
    return value
