"""Owns rendering the prompt: a row becomes messages, and every error names template and row.

Only the templates of the experiment file are rendered, never data or a model's output.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Template as Compiled
from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError, meta

from ftrun.errors import ConfigError, DataError, Problem, UserError
from ftrun.experiment.decode import decode, read_bytes
from ftrun.experiment.document import LARGEST_TEMPLATE, Document
from ftrun.experiment.model import Experiment, Template
from ftrun.experiment.nodes import KeyPath, spell
from ftrun.experiment.places import LINE_BREAK, excerpt, shown_path
from ftrun.experiment.sandbox import ExperimentEnvironment, LimitError, MissingError, NullError

Message = dict[str, Any]
RowPlace = tuple[str, int]  # file and line


class Renderer:
    """Renders the prompt of one experiment. Not for several threads at once."""

    def __init__(self, experiment: Experiment) -> None:
        self._prompt = experiment.prompt
        self._environment = ExperimentEnvironment(experiment.file.parent)
        self._compiled: dict[str, Compiled] = {}
        self._templates = {name: one for name, one in _named(experiment) if one is not None}

    def render_row(
        self, row: Mapping[str, Any], *, file: str | Path | None = None, line: int | None = None
    ) -> list[Message]:
        """Return the chat messages of one row; `file` and `line` say where the row stands, for errors.

        ConfigError if a template is wrong or names what the row lacks; DataError if a value in it is null.
        """
        names = self._names(row, _row_place(file, line))
        if self._prompt.messages is not None:
            return [self._message(index, names, file, line) for index in range(len(self._prompt.messages))]
        if self._prompt.user is None and self._prompt.assistant is None:
            message = "the rows are no ready chats, and the experiment has no templates for them"
            hint = 'Add `prompt.user` and `prompt.assistant`, e.g. user: "{{ question }}".'
            raise ConfigError(message, code="no_templates", hint=hint, file=_shown(file), line=line)
        place = _row_place(file, line)
        return [
            {"role": role, "content": self._render(f"prompt.{role}", names, place)}
            for role in ("system", "user", "assistant")
            if f"prompt.{role}" in self._templates
        ]

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
        message: Message = {"role": one.role, "content": self._render(spell((*key, "content")), names, place)}
        if one.name is not None:
            message["name"] = self._render(spell((*key, "name")), names, place)
        if one.weight is not None:
            message["weight"] = one.weight
        return message

    def _names(self, row: Mapping[str, Any], place: RowPlace | None) -> dict[str, Any]:
        """Return what templates see: columns, `vars` and `row`; a name that is two of these is an error."""
        for name in row:
            other = (
                "the whole row in templates"
                if name == "row"
                else "also the name of an entry of `prompt.vars`"
            )
            if name == "row" or name in self._prompt.vars:
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
        template = self._templates[key]
        self._environment.meter.start()
        try:
            if key not in self._compiled:
                self._compiled[key] = _compile(self._environment, template, key)
            text = self._compiled[key].render(names)
        except Exception as error:  # a template can raise anything; whatever it is, the template is at fault
            _explain(error, template, key, names, place)
        if len(text) > 1_000_000:
            raise ConfigError(f"{key}: it puts out more than 1,000,000 characters", code="template_limit")
        return text


def _named(experiment: Experiment) -> Iterator[tuple[str, Template | None]]:
    prompt = experiment.prompt
    yield "prompt.system", prompt.system
    yield "prompt.user", prompt.user
    yield "prompt.assistant", prompt.assistant
    for index, message in enumerate(prompt.messages or ()):
        yield spell(("prompt", "messages", index, "content")), message.content
        yield spell(("prompt", "messages", index, "name")), message.name


def _compile(environment: ExperimentEnvironment, template: Template, key: str) -> Compiled:
    filename = _filename(template, key)
    code = environment.compile(template.text, key, filename)
    return environment.template_class.from_code(environment, code, environment.make_globals(None))


def _filename(template: Template, key: str) -> str:
    return str(template.file) if template.file else f"<{key}>"


def _row_place(file: str | Path | None, line: int | None) -> RowPlace | None:
    return None if file is None or line is None else (shown_path(Path(file)), line)


def _shown(file: str | Path | None) -> str | None:
    return None if file is None else shown_path(Path(file))


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
        case LimitError():
            code, words = "template_limit", str(error)
        case TemplateSyntaxError():
            code, words = "template_syntax", error.message or "this is no template"
        case RecursionError():
            words = "the templates include or call one another without end"
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
        return _place(template, key, error.filename, error.lineno)
    filename, line = None, 1
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name == _filename(template, key) or name.endswith(".j2"):
            filename, line = name, trace.tb_lineno
        trace = trace.tb_next
    return _place(template, key, filename, line)


def _place(template: Template, key: str, filename: str | None, line: int) -> dict[str, Any]:
    if filename is not None and filename != _filename(template, key):
        return {"file": shown_path(Path(filename)), "line": line, "column": 1}
    if template.place is None:
        return {}
    file, first_line, first_column = template.place
    lines = LINE_BREAK.split(template.text)
    text = lines[line - 1] if line <= len(lines) else ""
    starts = [position for mark in ("{{", "{%") if (position := text.find(mark)) >= 0]
    column = min(starts, default=0) + (first_column if line == 1 else 1)
    return {"file": shown_path(file), "line": first_line + line - 1, "column": column}


def syntax_problems(document: Document) -> Iterator[Problem]:
    """Yield the syntax errors of all templates of the document and of those that they include by name."""
    environment = ExperimentEnvironment(document.path.parent)
    checked: set[str] = set()
    for path, template in document.templates.items():
        yield from _check(environment, template, path, document, checked)


def _check(
    environment: ExperimentEnvironment,
    template: Template,
    path: KeyPath,
    document: Document,
    checked: set[str],
) -> Iterator[Problem]:
    key = spell(path)
    words, code, line = "", "template_syntax", 1
    try:
        tree = environment.parse(template.text, key, _filename(template, key))
        included = {name for name in meta.find_referenced_templates(tree) if name is not None}
        environment.compile(tree, key, _filename(template, key))
        for name in sorted(included - checked):
            checked.add(name)
            yield from _check(environment, _included(environment, name), path, document, checked)
    except TemplateNotFound as error:
        words, code, line = str(error.message), "template_file", _line_of(template.text, str(error.name))
    except TemplateError as error:
        words, line = str(error.message), getattr(error, "lineno", 1)
    except (RecursionError, SyntaxError, MemoryError) as error:
        words = f"too deeply nested ({type(error).__name__})"
    if words:
        yield _syntax_problem(f"{key}: {words}", code, template, line, document)


def _syntax_problem(message: str, code: str, template: Template, line: int, document: Document) -> Problem:
    where = _place(template, "", None, line)
    if template.place is not None:
        text = template.text if template.file else document.texts.get(template.place[0], "")
        message += excerpt(text, where["line"], where["column"])
    return Problem(message, code=code, **where)


def _included(environment: ExperimentEnvironment, name: str) -> Template:
    assert environment.loader is not None
    _, filename, _ = environment.loader.get_source(environment, name)
    path = Path(str(filename))
    text = decode(read_bytes(path, limit=LARGEST_TEMPLATE), path)
    return Template(text=text, file=path, place=(path, 1, 1))


def _line_of(text: str, word: str) -> int:
    lines = LINE_BREAK.split(text)
    return next((number for number, line in enumerate(lines, 1) if word in line), 1)
