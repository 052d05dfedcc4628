"""Render the prompt: a row becomes messages, and every error names the template and the row.

Only the templates of the experiment file are rendered, never data or a model's output.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Template as Compiled
from jinja2 import TemplateSyntaxError

from ftrun import untrusted
from ftrun.errors import ConfigError, DataError, UserError
from ftrun.experiment.model import Experiment, Template
from ftrun.experiment.nodes import KeyPath, spell
from ftrun.experiment.places import LINE_BREAK, shown_path
from ftrun.experiment.templates.plain import LARGEST_OUTPUT, named_templates, plain_filler
from ftrun.experiment.templates.sandbox import ExperimentEnvironment, MissingError, NullError
from ftrun.untrusted import CapError, Capped

Message = dict[str, Any]
RowPlace = tuple[str, int]  # file and line


NO_TEMPLATES = {
    "supervised": 'Add `prompt.user` and `prompt.assistant`, e.g. user: "{{ question }}".',
    "dpo": 'Add e.g. user: "{{ prompt }}", preferred: "{{ chosen }}", non_preferred: "{{ rejected }}".',
    "reinforcement": 'Add e.g. user: "{{ question }}", and for the grader item: {answer: "{{ answer }}"}.',
}


class Renderer:
    """Render the prompt of one experiment. Not thread-safe."""

    def __init__(self, experiment: Experiment) -> None:
        self._prompt, self._method = experiment.prompt, experiment.train.method
        self._rendering = Capped(_Rendering, experiment.file.parent)
        self._templates = dict(named_templates(experiment))
        self._fillers = {name: plain_filler(one.text) for name, one in self._templates.items()}
        self._roles = [
            role for role in ("system", "user", "assistant") if f"prompt.{role}" in self._templates
        ]
        self._taken = {"row", *self._prompt.vars}  # no column has one of these names

    def render_row(
        self, row: Mapping[str, Any], *, file: str | Path | None = None, line: int | None = None
    ) -> list[Message]:
        """Return the chat messages of one row; `file` and `line` are the place of the row, for errors.

        ConfigError if a template is wrong or names what the row lacks; DataError if a value in it is null.
        """
        names = self._names(row, _row_place(file, line))
        if self._prompt.messages is not None:
            return [self._message(index, names, file, line) for index in range(len(self._prompt.messages))]
        if self._prompt.user is None and self._prompt.assistant is None:
            message = "the rows are not chats, and the experiment has no templates for them"
            hint = f"{NO_TEMPLATES[self._method]} Columns: {', '.join(map(str, row))}."
            where = None if file is None else shown_path(Path(file))
            raise ConfigError(message, code="no_templates", hint=hint, file=where, line=line)
        place = _row_place(file, line)
        return [
            {"role": role, "content": self._render(f"prompt.{role}", names, place)} for role in self._roles
        ]

    def render_output(
        self, key: str, row: Mapping[str, Any], *, file: str | Path | None = None, line: int | None = None
    ) -> str:
        """Return what `prompt.preferred` or `prompt.non_preferred` (`key`) renders for a row."""
        place = _row_place(file, line)
        return self._render(f"prompt.{key}", self._names(row, place), place)

    def render_item(
        self, row: Mapping[str, Any], *, file: str | Path | None = None, line: int | None = None
    ) -> dict[str, str]:
        """Return the fields of `prompt.item` for a row."""
        place = _row_place(file, line)
        names = self._names(row, place)
        return {name: self._render(f"prompt.item.{name}", names, place) for name in self._prompt.item}

    def render_system(
        self, row: Mapping[str, Any] | None = None, *, file: str | Path | None = None, line: int | None = None
    ) -> str | None:
        """Return the system prompt for `row` (None: with `vars` alone), None if the experiment has none."""
        place = _row_place(file, line)
        names = dict(self._prompt.vars) if row is None else self._names(row, place)
        for index, message in enumerate(self._prompt.messages or ()):
            if message.role == "system":
                return self._render(spell(("prompt", "messages", index, "content")), names, place)
        if self._prompt.system is None:
            return None
        return self._render("prompt.system", names, place)

    def _message(
        self, index: int, names: dict[str, Any], file: str | Path | None, line: int | None
    ) -> Message:
        assert self._prompt.messages is not None
        one = self._prompt.messages[index]
        place = _row_place(file, line)
        key = ("prompt", "messages", index)
        message: Message = {"role": one.role}
        for name in ("content", "name", "weight", "tool_call_id"):
            if getattr(one, name) is not None:
                message[name] = self._tree(getattr(one, name), (*key, name), names, place)
        if one.tool_calls is not None:
            rendered = self._tree(one.tool_calls, (*key, "tool_calls"), names, place)
            message["tool_calls"] = _calls(rendered, spell((*key, "tool_calls")), place)
        return message

    def _tree(self, tree: Any, path: KeyPath, names: dict[str, Any], place: RowPlace | None) -> Any:
        """Return the tree with every template rendered."""
        if isinstance(tree, Template):
            return self._render(spell(path), names, place)
        if isinstance(tree, Mapping):
            return {key: self._tree(one, (*path, key), names, place) for key, one in tree.items()}
        if isinstance(tree, tuple):
            return [self._tree(one, (*path, index), names, place) for index, one in enumerate(tree)]
        return tree

    def _names(self, row: Mapping[str, Any], place: RowPlace | None) -> dict[str, Any]:
        """Return what templates see: columns, `vars` and `row`; ambiguous names are errors."""
        if not self._taken.isdisjoint(row):
            name = next(name for name in row if name in self._taken)
            other = (
                "the whole row in templates"
                if name == "row"
                else "also the name of an entry of `prompt.vars`"
            )
            file, line = place or (None, None)
            raise ConfigError(
                f"the column {name!r} is {other}",
                code="name_clash",
                hint=f"Rename the column in `data.sources`: columns: {{new_name: {name}}}.",
                file=file,
                line=line,
            )
        return {**row, **self._prompt.vars, "row": row}

    def _render(self, key: str, names: dict[str, Any], place: RowPlace | None) -> str:
        fill = self._fillers[key]
        plain = fill(names) if fill else None
        if plain is not None:
            return plain
        return _rendered(self._rendering, self._templates[key], key, names, place)


def render_alone(experiment: Experiment, template: Template, key: str, names: Mapping[str, Any]) -> str:
    """Render a template of the experiment outside the prompt; `key` names it in errors.

    ConfigError if it is wrong or names what is not in `names`; DataError if a value is null.
    """
    return _rendered(_rendering_in(experiment.file.parent), template, key, dict(names), None)


@functools.lru_cache(4)
def _rendering_in(folder: Path) -> Capped:
    return Capped(_Rendering, folder)


def _rendered(
    rendering: Capped, template: Template, key: str, names: dict[str, Any], place: RowPlace | None
) -> str:
    try:
        text: str = rendering.call("render", template, key, names, place)
    except CapError as error:  # it was killed, or ran out of time outside the template's own lines
        _explain(error, template, key, names, place)
    return text


class _Rendering:
    """The compiled templates of one folder."""

    def __init__(self, folder: Path) -> None:
        self._environment = ExperimentEnvironment(folder)
        self._compiled: dict[tuple[str, str], Compiled] = {}

    def render(self, template: Template, key: str, names: Mapping[str, Any], place: RowPlace | None) -> str:
        """Return the rendered template; UserError with its place and the row's if it can't be rendered."""
        try:
            if (key, template.text) not in self._compiled:
                self._compiled[key, template.text] = _compile(self._environment, template, key)
            text = self._compiled[key, template.text].render(names)
            if len(text) > LARGEST_OUTPUT:
                raise CapError(f"it renders more than {LARGEST_OUTPUT:,} characters")
            text.encode()  # an escape in the template may be a lone surrogate
        except Exception as error:  # a template can raise anything, and is at fault
            _explain(error, template, key, names, place)
        return text


def _calls(rendered: Any, key: str, place: RowPlace | None) -> Any:
    """Return calls as the API takes them: a rendered text is parsed as JSON, arguments become JSON text."""
    if isinstance(rendered, str):
        try:
            return json.loads(rendered)
        except (ValueError, RecursionError) as error:
            file, line = place or (None, None)
            message = f"{key}: the template does not render valid JSON: {error}"
            raise ConfigError(message, code="template_json", file=file, line=line) from error
    return [_call(one) for one in rendered]


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    given = call["function"]["arguments"]
    arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    function = {"name": call["function"]["name"], "arguments": arguments}
    return {"id": call["id"], "type": "function", "function": function}


def _compile(environment: ExperimentEnvironment, template: Template, key: str) -> Compiled:
    filename = template_filename(template, key)
    code = environment.compile(template.text, key, filename)
    return environment.template_class.from_code(environment, code, environment.make_globals(None))


def template_filename(template: Template, key: str) -> str:
    """Return the name under which a template is compiled: its file, else its key."""
    return str(template.file) if template.file else f"<{key}>"


def _row_place(file: str | Path | None, line: int | None) -> RowPlace | None:
    return None if file is None or line is None else (shown_path(Path(file)), line)


def _explain(
    error: Exception, template: Template, key: str, names: Mapping[str, Any], place: RowPlace | None
) -> NoReturn:
    """Raise what `error` means to the user, with the places of template and row."""
    where = _template_place(error, template, key)
    row = f" (row at {place[0]}:{place[1]})" if place else ""
    kind: type[UserError] = ConfigError
    code, hint = "template", None
    match error:
        case MissingError():
            code, words, hint = "template_variable", *_missing(error, names)
        case NullError():
            kind, code, words = DataError, "template_null", str(error)
            hint = f"Fill it in the data, or give a default: {{{{ {error.name} or '' }}}}."
        case CapError() | MemoryError():
            code, hint = "template_limit", "Shorten its loops and repetitions."
            words = str(error) or f"it takes more than {untrusted.MEMORY:,} bytes of memory"
        case TemplateSyntaxError():
            code, words = "template_syntax", error.message or "this is not a template"
        case RecursionError():
            words = "the templates include or call each other endlessly"
        case _:
            words = str(error) or type(error).__name__
    if kind is DataError and place:
        template_at = f"{where['file']}:{where['line']}" if where.get("file") else key
        where, row = {"file": place[0], "line": place[1]}, f" (template at {template_at})"
    raise kind(f"{key}: {words}{row}", code=code, hint=hint, **where) from error


def _missing(error: MissingError, names: Mapping[str, Any]) -> tuple[str, str]:
    known = sorted(str(name) for name in (names if error.owner is None else error.owner))
    words = (
        f"{error.name!r} does not exist" if error.owner is None else f"{error.name!r} is not in the mapping"
    )
    if error.owner is None and error.message and "has no" in error.message:
        words = error.message
    near = difflib.get_close_matches(error.name, known, n=1)
    hint = f"Did you mean `{near[0]}`? " if near else ""
    return words, f"{hint}Known names: {', '.join(known) or 'none'}."


def _template_place(error: Exception, template: Template, key: str) -> dict[str, Any]:
    """Return file, line and column of the innermost template line that `error` passed."""
    if isinstance(error, TemplateSyntaxError):
        return place_in(template, key, error.filename, error.lineno)
    filename, line = None, 1
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name == template_filename(template, key) or name.endswith(".j2"):
            filename, line = name, trace.tb_lineno
        trace = trace.tb_next
    return place_in(template, key, filename, line)


def place_in(template: Template, key: str, filename: str | None, line: int) -> dict[str, Any]:
    """Return file, line and column of line `line` of a template, or of the file that it includes."""
    if filename is not None and filename != template_filename(template, key):
        return {"file": shown_path(Path(filename)), "line": line, "column": 1}
    if template.place is None:
        return {}
    file, first_line, first_column = template.place
    lines = LINE_BREAK.split(template.text)
    text = lines[line - 1] if line <= len(lines) else ""
    starts = [position for mark in ("{{", "{%") if (position := text.find(mark)) >= 0]
    column = min(starts, default=0) + (first_column if line == 1 else 1)
    return {"file": shown_path(file), "line": first_line + line - 1, "column": column}
