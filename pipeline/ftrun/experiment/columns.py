"""Owns which columns of a row a template names. Renders nothing."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import meta, nodes

from ftrun.experiment.model import Experiment, Template
from ftrun.experiment.sandbox import ExperimentEnvironment


def columns_of(experiment: Experiment, template: Template) -> tuple[str, ...]:
    """Return the columns of a row that a template names, in order. Files that it includes do not count."""
    tree = ExperimentEnvironment(experiment.file.parent).parse(template.text)
    variables = set(experiment.prompt.vars) | {"row"}
    names = [node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"]
    free = meta.find_undeclared_variables(tree) - variables
    return tuple(dict.fromkeys([*(name for name in names if name in free), *_of_row(tree)]))


def _of_row(tree: nodes.Template) -> Iterator[str]:
    """Yield the columns that are named as `row.x` or `row["x"]`."""
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        match node:
            case nodes.Getattr(node=nodes.Name(name="row"), attr=name):
                yield name
            case nodes.Getitem(node=nodes.Name(name="row"), arg=nodes.Const(value=name)):
                yield str(name)
