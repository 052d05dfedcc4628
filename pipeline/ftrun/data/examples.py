"""Owns the way from a row to a chat example: ready chats pass, other rows are rendered; both are checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ftrun.data.findings import Findings
from ftrun.data.place import FilePlace
from ftrun.data.rows import Row
from ftrun.data.sources import place_of
from ftrun.data.structure import has_system, row_key_faults, structure_faults
from ftrun.errors import DataError, UserError
from ftrun.experiment.model import Experiment

Message = dict[str, Any]


class RowRenderer(Protocol):
    """What renders the prompt; `ftrun.experiment.templates.Renderer` is the real one."""

    def render_row(
        self, row: Mapping[str, Any], *, file: str | None = None, line: int | None = None
    ) -> list[Message]:
        """Return the messages of a row; a UserError with a place if it can't be rendered."""
        ...

    def render_system(
        self, row: Mapping[str, Any] | None = None, *, file: str | None = None, line: int | None = None
    ) -> str | None:
        """Return the system prompt for a row, None if there is none."""
        ...


class ExampleMaker:
    """Turns rows into messages; what is wrong goes to `findings`."""

    def __init__(
        self, experiment: Experiment, findings: Findings, renderer: RowRenderer | None = None
    ) -> None:
        self._experiment = experiment
        self._findings = findings
        self._renderer = renderer
        prompt = experiment.prompt
        given = (("user", prompt.user), ("assistant", prompt.assistant), ("messages", prompt.messages))
        split = experiment.data.split
        self._split_columns = {split.stratify_by, *split.group_by} if split else set()
        self._other_templates = [key for key, template in given if template is not None]

    def example_of(self, row: Row, place: FilePlace) -> dict[str, Any] | None:
        """Return the whole training row that a row becomes, None if it can't be used."""
        ready = row.values.get("messages")
        try:
            if isinstance(ready, list):
                messages = self._ready(row, ready, place)
            else:
                messages = self._sound(self._render(row, place), row, place)
            return None if messages is None else {"messages": messages}
        except UserError as error:
            named = _names_row(error, row, place)
            self._findings.absorb(error, row=None if named else (place.name, row.line))
            return None

    def _ready(self, row: Row, messages: list[Any], place: FilePlace) -> list[Message] | None:
        for key in self._other_templates:
            where = place_of(self._experiment, "prompt", key)
            message = f"prompt.{key}: the rows are ready chats (`messages`), so this template has no use"
            self._findings.add("mixed_templates", message, once=True, **where)
        usable = not self._other_templates
        for fault in row_key_faults(row.values, self._split_columns):
            place.add(fault.code, fault.message, row.line, once=True)
            usable = usable and fault.code == "ignored_key"
        sound = self._sound(messages, row, place)
        if sound is None or not usable:
            return None
        if self._experiment.prompt.system is None or has_system(sound):
            return sound
        system = self._rendered_system(row, place)
        return self._sound([{"role": "system", "content": system}, *sound], row, place)

    def _sound(self, messages: list[Any], row: Row, place: FilePlace) -> list[Message] | None:
        faults = list(structure_faults(messages))
        for fault in faults:
            place.add(fault.code, fault.message, row.line)
        return None if faults else messages

    def _render(self, row: Row, place: FilePlace) -> list[Message]:
        try:
            # without the place: the same fault of a template reads the same for each row, so it is told once
            return self._chosen().render_row(row.values)
        except DataError:
            return self._chosen().render_row(row.values, file=place.name, line=row.line)

    def _rendered_system(self, row: Row, place: FilePlace) -> str | None:
        try:
            return self._chosen().render_system(row.values)
        except DataError:
            return self._chosen().render_system(row.values, file=place.name, line=row.line)

    def _chosen(self) -> RowRenderer:
        if self._renderer is None:
            from ftrun.experiment.templates import Renderer  # imports jinja2

            self._renderer = Renderer(self._experiment)
        return self._renderer


def _names_row(error: UserError, row: Row, place: FilePlace) -> bool:
    return error.problem.file == place.name and error.problem.line == row.line
