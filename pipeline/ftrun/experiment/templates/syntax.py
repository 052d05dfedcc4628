"""What templates say before any row is rendered: their syntax errors, and the columns that they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jinja2 import TemplateError, TemplateNotFound, meta, nodes

from ftrun.errors import Problem
from ftrun.experiment.decode import decode, read_bytes
from ftrun.experiment.document import LARGEST_TEMPLATE, Document
from ftrun.experiment.model import Experiment, Template
from ftrun.experiment.nodes import spell
from ftrun.experiment.places import LINE_BREAK, excerpt
from ftrun.experiment.templates.plain import plain_filler
from ftrun.experiment.templates.rendering import place_in, template_filename
from ftrun.experiment.templates.sandbox import ExperimentEnvironment
from ftrun.untrusted import CapError, Capped

INCLUDING: tuple[type[nodes.Node], ...] = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
OF_MAPPINGS = frozenset(("items", "keys", "values", "get"))  # `row.items()` uses every column


def syntax_problems(document: Document) -> Iterator[Problem]:
    """Yield the syntax errors of all templates of the document and of those that they include by name."""
    check = Capped(_Check, document.path.parent)
    for path, template in document.templates.items():
        key = spell(path)
        if plain_filler(template.text) is not None:  # text and names alone have no syntax errors
            continue
        try:
            faults: list[TemplateFault] = check.call("faults", key, template)
        except CapError as error:
            faults = [TemplateFault(str(error), "template_limit", template, 1)]
        for fault in faults:
            yield _syntax_problem(f"{key}: {fault.words}", fault.code, fault.template, fault.line, document)


class TemplateFault(NamedTuple):
    """An error in a template, and its line."""

    words: str
    code: str
    template: Template
    line: int


class _Check:
    """Check the templates of one folder, each included file once."""

    def __init__(self, folder: Path) -> None:
        self._environment = ExperimentEnvironment(folder)
        self._checked: set[str] = set()

    def faults(self, key: str, template: Template) -> list[TemplateFault]:
        """Return the errors of a template and of those that it includes."""
        return list(self._faults(key, template))

    def _faults(self, key: str, template: Template) -> Iterator[TemplateFault]:
        words, code, line = "", "template_syntax", 1
        try:
            tree = self._environment.parse(template.text, key, template_filename(template, key))
            included = {name for name in meta.find_referenced_templates(tree) if name is not None}
            self._environment.compile(tree, key, template_filename(template, key))
            for name in sorted(included - self._checked):
                self._checked.add(name)
                yield from self._faults(key, _included(self._environment, name))
        except TemplateNotFound as error:
            words, code = str(error.message), "template_file"
            lines = enumerate(LINE_BREAK.split(template.text), 1)
            line = next((number for number, text in lines if str(error.name) in text), 1)
        except TemplateError as error:
            words, line = str(error.message), getattr(error, "lineno", 1)
        except (RecursionError, SyntaxError, MemoryError) as error:
            words = f"too large or too deeply nested ({type(error).__name__})"
        except CapError:
            raise
        except Exception as error:  # constants are computed here, and a computation can raise anything
            words = str(error) or type(error).__name__
        if words:
            yield TemplateFault(words, code, template, line)


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


def columns_of(experiment: Experiment, template: Template) -> tuple[str, ...]:
    """Return the columns of a row that a template names, in order. Included files do not count."""
    tree = ExperimentEnvironment(experiment.file.parent).parse(template.text)
    variables = set(experiment.prompt.vars) | {"row"}
    names = [node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"]
    free = meta.find_undeclared_variables(tree) - variables
    return tuple(dict.fromkeys([*(name for name in names if name in free), *_of_row(tree)]))


def names_in(experiment: Experiment, text: str) -> frozenset[str] | None:
    """Return every name that a template may take from a row; None if it may be any, or is not a template."""
    try:
        tree = ExperimentEnvironment(experiment.file.parent).parse(text)
    except (TemplateError, RecursionError):
        return None
    whole = sum(node.name == "row" for node in tree.find_all(nodes.Name))
    columns = list(_of_row(tree))
    if (
        any(tree.find(one) for one in INCLUDING)
        or whole > len(columns)
        or not OF_MAPPINGS.isdisjoint(columns)
    ):
        return None
    return frozenset(meta.find_undeclared_variables(tree)) | frozenset(columns)


def _of_row(tree: nodes.Template) -> Iterator[str]:
    """Yield the columns that are named as `row.x` or `row["x"]`."""
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        match node:
            case nodes.Getattr(node=nodes.Name(name="row"), attr=name):
                yield name
            case nodes.Getitem(node=nodes.Name(name="row"), arg=nodes.Const(value=name)):
                yield str(name)
