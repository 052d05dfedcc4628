"""The way from a row to a training row: ready ones pass, others are rendered; all are checked."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ftrun.data.diagnostics.findings import FilePlace
from ftrun.data.examples.other_forms import converted, is_sharegpt, upgraded, without_empty_keys
from ftrun.data.examples.own_fields import column_of
from ftrun.data.shapes.recognising import described
from ftrun.data.types import Row
from ftrun.errors import ConfigError, DataError, UserError
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of
from ftrun.experiment.rules.methods import item_fields
from ftrun.protocol.faults import Fault, nearest, shown
from ftrun.protocol.functions import functions_of
from ftrun.protocol.messages import has_system, message_faults
from ftrun.protocol.plain_chats import Chat, TrainingRow, chat_of, is_sound_example
from ftrun.protocol.spec import OUTPUTS, SYSTEM_ROLES
from ftrun.protocol.training_rows import (
    WARNINGS,
    is_completion,
    is_ready,
    key_faults,
    other_method,
    row_faults,
    training_row,
)
from ftrun.targets.training_rules import DEFAULT_CODE, is_default, rule_faults, rules_of

if TYPE_CHECKING:
    from ftrun.experiment.templates.rendering import Renderer

Given = TypeVar("Given")
MESSAGE_INDEX = re.compile(r"messages\[(\d+)\]")
MESSAGE_PATH = re.compile(r"(?:input\.)?messages\[\d+\]|(?:non_)?preferred_output\[\d+\]")
LIST_FIX = 'Write "messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}].'
READY_FIX = "Fill it in, or delete the row."
BLANK_FIX = "Fill it in, or delete the row; `where: ({} | trim) != ''` on the source leaves such rows out."
TEMPLATES = ("user", "assistant", "messages", "preferred", "non_preferred")


class ExampleMaker:
    """Turns rows into training rows; what is wrong is added to their place."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._renderer: Renderer | None = None
        self._prompt, self._method = experiment.prompt, experiment.train.method
        self._given = [key for key in TEMPLATES if getattr(self._prompt, key) is not None]
        split = experiment.data.split
        self._split_columns = {split.stratify_by, *split.group_by} if split else set()
        self._rules, self._lenient = rules_of(experiment.target), is_default(experiment)
        self._fields = item_fields(experiment.train.grader)
        self._upgrade = experiment.data.legacy_functions == "upgrade"
        self._convert = experiment.data.sharegpt == "convert"
        added = (self._prompt.system, self._prompt.tools, self._prompt.item, self._given)
        self._takes_chats = self._method == "supervised" and not self._fields and self._rules.chats
        self._as_they_are = self._takes_chats and not any(added)

    def example_of(self, row: Row, place: FilePlace) -> TrainingRow | None:
        """Return the whole training row that a row becomes, None if it can't be used."""
        if self._as_they_are:
            chat = chat_of(row.values)
            if chat is not None and is_sound_example(chat):  # what most rows are, in a tenth of the time
                return TrainingRow({"messages": row.values["messages"]}, chat)
        values = converted(row.values) if self._convert and is_sharegpt(row.values) else row.values
        values = upgraded(values) if self._upgrade else values
        try:
            if is_ready(values, self._method):
                return self._ready(values, row, place)
            if not self._given and self._method == "supervised" and is_completion(values):
                return self._ready(values, row, place)
            if not self._given and self._is_of_a_shape(values, row, place):
                return None
            other = None if self._given else other_method(values, self._method)
            if other is not None:
                place.add(other.code, other.message, row.line, hint=other.hint, once=True)
                return None
            if "messages" in values and not self._given and not self._prompt.item:
                words = f"`messages` is {shown(values['messages'])}, not a list of messages"
                place.add("message_shape", words, row.line, hint=LIST_FIX)
                return None
            return self._rendered(values, row, place)
        except UserError as error:
            if error.code == "template_limit":  # the next row would take as long
                raise _at_row(error, row, place) from error
            named = (error.problem.file, error.problem.line) == (place.name, row.line)
            place.findings.absorb(error, row=None if named else (place.name, row.line))
            return None

    def _ready(self, values: Mapping[str, Any], row: Row, place: FilePlace) -> TrainingRow | None:
        for key in self._given:
            where = place_of(self._experiment, "prompt", key)
            message = f"prompt.{key}: the rows are ready for training, so this template has no use"
            place.findings.add("mixed_templates", message, once=True, **where)
        usable, values = not self._given, without_empty_keys(values)
        used = values if row.lines else self._split_columns  # a conversation's columns need no warning
        for fault in key_faults(values, self._method, used):
            place.add(fault.code, fault.message, row.line, hint=fault.hint, once=True)
            usable = usable and fault.code == "ignored_key"
        made = training_row(values, self._method)
        if self._prompt.item:
            made |= self._rendered_at(self._templates().render_item, values, row, place)
        return self._finished(made, values, row, place) if usable else None

    def _rendered(self, values: Mapping[str, Any], row: Row, place: FilePlace) -> TrainingRow | None:
        if self._method != "dpo":
            made: dict[str, Any] = {
                "messages": self._rendered_at(self._templates().render_row, values, row, place)
            }
            if self._prompt.item:
                made |= self._rendered_at(self._templates().render_item, values, row, place)
            return self._finished(made, values, row, place)
        messages = values.get("messages")
        if not isinstance(messages, list):
            messages = self._rendered_at(self._templates().render_row, values, row, place)
        outputs = {}
        for key, output in zip(("preferred", "non_preferred"), OUTPUTS, strict=True):
            text = self._rendered_at(
                functools.partial(self._templates().render_output, key), values, row, place
            )
            outputs[output] = [{"role": "assistant", "content": text}]
        return self._finished({"input": {"messages": messages}, **outputs}, values, row, place)

    def _finished(
        self, made: dict[str, Any], values: Mapping[str, Any], row: Row, place: FilePlace
    ) -> TrainingRow | None:
        """Return the row with the experiment's tools and system prompt where it has none, if it is sound."""
        asked = made["input"] if isinstance(made.get("input"), dict) else made
        if self._prompt.tools is not None and not self._add_tools(asked, place):
            return None
        chat = chat_of(made)
        flawless = chat is not None and self._takes_chats and is_sound_example(chat)  # as most rows are
        if not flawless and not self._is_usable(made, values, row, place):
            return None
        if self._prompt.system is None or "messages" not in asked or _is_opened(asked["messages"], chat):
            return TrainingRow(made, chat)
        system = {
            "role": "system",
            "content": self._rendered_at(self._templates().render_system, values, row, place),
        }
        empty = list(message_faults([system]))
        self._report(empty, row, place)
        asked["messages"] = [system, *asked["messages"]]
        return None if empty else TrainingRow(made, chat_of(made))

    def _is_usable(self, made: dict[str, Any], values: Mapping[str, Any], row: Row, place: FilePlace) -> bool:
        """Return whether a row has nothing but warnings; all of them are reported."""
        faults = list(row_faults(made, self._method))
        wrong = any(fault.code not in WARNINGS for fault in faults)
        if wrong and not self._given and self._is_of_a_shape(values, row, place):
            return False
        self._report(faults, row, place)
        if wrong:
            return False
        return self._allowed(made, row, place) and self._gradable(made, row, place)

    def _add_tools(self, asked: dict[str, Any], place: FilePlace) -> bool:
        """Put the experiment's tools into a row that has none; False if they are not valid."""
        functions = functions_of(self._prompt.tools, "prompt.tools")
        where = place_of(self._experiment, "prompt", "tools")
        for fault in functions.faults:
            place.findings.add(fault.code, fault.message, hint=fault.hint, once=True, **where)
        if asked.get("tools") is None:
            asked["tools"] = self._prompt.tools
        parallel = self._prompt.parallel_tool_calls
        if parallel is not None:
            asked.setdefault("parallel_tool_calls", parallel)
        return not functions.faults

    def _allowed(self, made: dict[str, Any], row: Row, place: FilePlace) -> bool:
        """Return whether the target can train on a sound row; without a chosen target, warn instead."""
        refused = False
        for fault in rule_faults(made, self._rules):
            warning = fault.code == "ignored_by_target" or self._lenient
            code = DEFAULT_CODE if self._lenient and fault.code != "ignored_by_target" else fault.code
            place.add(code, fault.message, row.line, hint=fault.hint, once=True)
            refused = refused or not warning
        return not refused

    def _gradable(self, made: dict[str, Any], row: Row, place: FilePlace) -> bool:
        """Return whether the row has the fields that the grader asks for."""
        missing = sorted(self._fields - made.keys())
        for name in missing:
            near = nearest(name, [key for key in made if key not in ("messages", "tools")])
            words = f"; the nearest is {near!r}" if near else ""
            message = f"the grader asks for `item.{name}`, which the row does not have{words}"
            place.add("grader_field", message, row.line, once=True)
        return not missing

    def _is_of_a_shape(self, values: Mapping[str, Any], row: Row, place: FilePlace) -> bool:
        """Return whether a row of a source without `shape` has one; a problem then says which, once."""
        if row.places is not None or row.lines:
            return False
        found = described(values, self._method)
        if found is not None:
            place.add(found.code, found.message, row.line, hint=found.hint, once=True)
        return found is not None

    def _report(self, faults: list[Fault], row: Row, place: FilePlace) -> None:
        for fault in faults:
            found = MESSAGE_INDEX.match(fault.field) if row.lines else None
            line = row.lines[int(found[1])] if found else row.line
            hint = fault.hint or (self._blank_fix(fault) if fault.code == "empty_content" else None)
            words = fault.message if row.places is None else _in_the_file(fault.message, row.places)
            place.add(fault.code, words, line, hint=hint, once=fault.code in WARNINGS)

    def _blank_fix(self, fault: Fault) -> str | None:
        """Return how to leave out rows where the column is empty that alone makes up the message."""
        if not self._given:
            return READY_FIX
        for role in ("user", "assistant"):
            column = column_of(getattr(self._prompt, role))
            if column and f"({role})" in fault.message:
                return BLANK_FIX.format(column if column.isidentifier() else f"row[{column!r}]")
        return None

    def _rendered_at(
        self, render: Callable[..., Given], values: Mapping[str, Any], row: Row, place: FilePlace
    ) -> Given:
        try:
            # without the place: the same fault of a template reads the same for each row and is reported once
            return render(values)
        except DataError:
            return render(values, file=place.name, line=row.line)

    def _templates(self) -> Renderer:
        if self._renderer is None:
            from ftrun.experiment.templates.rendering import Renderer  # imports jinja2

            self._renderer = Renderer(self._experiment)
        return self._renderer


def _in_the_file(words: str, places: Mapping[str, str]) -> str:
    """Return a message about a converted row with the places of its messages in the row of the file."""
    return MESSAGE_PATH.sub(lambda found: places.get(found[0], found[0]), words)


def _is_opened(messages: list[Any], chat: Chat | None) -> bool:
    """Return whether a system message is among them, which are those of `chat` if it is one."""
    return has_system(messages) if chat is None else not set(SYSTEM_ROLES).isdisjoint(chat.roles)


def _at_row(error: UserError, row: Row, place: FilePlace) -> ConfigError:
    where = {name: getattr(error.problem, name) for name in ("code", "hint", "file", "line", "column")}
    return ConfigError(f"{error} (row at {place.name}:{row.line})", **where)
