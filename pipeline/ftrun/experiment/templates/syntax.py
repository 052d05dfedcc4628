"""Finding the syntax errors of templates, before any row is rendered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jinja2 import TemplateError, TemplateNotFound, meta

from ftrun.errors import Problem
from ftrun.experiment.decode import decode, read_bytes
from ftrun.experiment.document import LARGEST_TEMPLATE, Document
from ftrun.experiment.model import Template
from ftrun.experiment.nodes import spell
from ftrun.experiment.places import LINE_BREAK, excerpt
from ftrun.experiment.templates.plain import plain_filler
from ftrun.experiment.templates.rendering import place_in, template_filename
from ftrun.experiment.templates.sandbox import ExperimentEnvironment
from ftrun.untrusted import CapError, Capped


def syntax_problems(document: Document) -> Iterator[Problem]:
    """Yield the syntax errors of all templates of the document and of those that they include by name."""
    check = Capped(_Check, document.path.parent)
    for path, template in document.templates.items():
        key = spell(path)
        if plain_filler(template.text) is not None:  # text and names: nothing can be wrong with it
            continue
        try:
            faults: list[Fault] = check.call("faults", key, template)
        except CapError as error:
            faults = [Fault(str(error), "template_limit", template, 1)]
        for fault in faults:
            yield _syntax_problem(f"{key}: {fault.words}", fault.code, fault.template, fault.line, document)


class Fault(NamedTuple):
    """What is wrong with a template, and in which line of it."""

    words: str
    code: str
    template: Template
    line: int


class _Check:
    """Checks the templates of one folder; what several include is checked once."""

    def __init__(self, folder: Path) -> None:
        self._environment = ExperimentEnvironment(folder)
        self._checked: set[str] = set()

    def faults(self, key: str, template: Template) -> list[Fault]:
        """Return what is wrong with a template and those that it includes."""
        return list(self._faults(key, template))

    def _faults(self, key: str, template: Template) -> Iterator[Fault]:
        words, code, line = "", "template_syntax", 1
        try:
            tree = self._environment.parse(template.text, key, template_filename(template, key))
            included = {name for name in meta.find_referenced_templates(tree) if name is not None}
            self._environment.compile(tree, key, template_filename(template, key))
            for name in sorted(included - self._checked):
                self._checked.add(name)
                yield from self._faults(key, _included(self._environment, name))
        except TemplateNotFound as error:
            words, code, line = str(error.message), "template_file", _line_of(template.text, str(error.name))
        except TemplateError as error:
            words, line = str(error.message), getattr(error, "lineno", 1)
        except (RecursionError, SyntaxError, MemoryError) as error:
            words = f"too large or too deeply nested ({type(error).__name__})"
        except CapError:
            raise
        except Exception as error:  # constants are computed here, and a computation can raise anything
            words = str(error) or type(error).__name__
        if words:
            yield Fault(words, code, template, line)


def _syntax_problem(message: str, code: str, template: Template, line: int, document: Document) -> Problem:
    where = place_in(template, "", None, line)
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
