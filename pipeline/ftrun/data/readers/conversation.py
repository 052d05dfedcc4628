"""The messages of a grouped conversation: who speaks, what a row becomes, where it ends."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ftrun.data.diagnostics.findings import Findings
from ftrun.data.diagnostics.place import FilePlace
from ftrun.data.readers.rows import Row
from ftrun.experiment.model import Experiment, Source
from ftrun.experiment.places import place_of
from ftrun.protocol.spec import ROLES

MESSAGE_COLUMNS = ("role", "content", "name", "weight", "tool_calls", "tool_call_id")


class Speakers:
    """Knows the roles of a source's rows, and whether its conversations are made from columns at all."""

    def __init__(self, experiment: Experiment, source: Source, place: FilePlace, findings: Findings) -> None:
        prompt = experiment.prompt
        self.by_templates = bool(prompt.user or prompt.assistant or prompt.messages)
        self.learns = experiment.train.method == "supervised"
        self.place = place
        self._findings, self._where = findings, place_of(experiment, *source.key, "group_by")
        given = (source.roles or {}).items()
        self._role_of = {name.strip(): role for role, names in given for name in names}

    def role_of(self, row: Row) -> str | None:
        """Return the role of the API; None, with a problem, if nothing says who that is."""
        value = str(row.values["role"]).strip()
        role = self._role_of.get(value) or (value.lower() if value.lower() in ROLES else None)
        if role is None:
            hint = f"Say in the source who that is: roles: {{user: {value or '...'}}}, or assistant: …"
            words = f"the role is {value!r}, which is none of {', '.join(ROLES)}"
            self.place.add("group_role", words, row.line, hint=hint, once=True)
        return role

    def has_columns(self, row: Row) -> bool:
        """Return whether the row says who speaks and what, with a problem if not."""
        missing = [name for name in ("role", "content") if name not in row.values]
        if missing:
            words = f"grouped rows need the column{'s' if len(missing) > 1 else ''} {' and '.join(missing)}"
            words += f"; {self.place.name} has: {', '.join(map(str, row.values))}"
            self._findings.add("group_messages", words, once=True, **self._where)
        return not missing


def conversation(members: Sequence[Row], speakers: Speakers) -> Row | None:
    """Return one row for the rows of a conversation; None if there is nothing to learn, or it is faulty."""
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
    """Return the rows up to the assistant's last one: what follows teaches nothing."""
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
