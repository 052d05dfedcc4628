"""Which columns of a row templates and conditions name. Renders nothing."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import TemplateError, meta, nodes

from ftrun.experiment.model import Experiment, Template
from ftrun.experiment.templates.sandbox import ExperimentEnvironment

INCLUDING: tuple[type[nodes.Node], ...] = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
OF_MAPPINGS = frozenset(("items", "keys", "values", "get"))  # `row.items()` looks at every column


def columns_of(experiment: Experiment, template: Template) -> tuple[str, ...]:
    """Return the columns of a row that a template names, in order. Files that it includes do not count."""
    tree = ExperimentEnvironment(experiment.file.parent).parse(template.text)
    variables = set(experiment.prompt.vars) | {"row"}
    names = [node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"]
    free = meta.find_undeclared_variables(tree) - variables
    return tuple(dict.fromkeys([*(name for name in names if name in free), *_of_row(tree)]))


def names_in(experiment: Experiment, text: str) -> frozenset[str] | None:
    """Return every name that a template may take from a row; None if it may be any, or is no template."""
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
