"""The Jinja2 environment of an experiment: sandboxed, strict, and confined to a folder.

Jinja's sandbox keeps templates from reaching Python. The process that
renders them limits time and memory (`ftrun.untrusted`). Not thread-safe.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound, nodes
from jinja2.exceptions import UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from ftrun.experiment.document import LARGEST_TEMPLATE

# digits and letters, and between digits the marks of numbers, times and dates
WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ]+(?:(?<=[０-９])[．，：／－](?=[０-９])[０-９Ａ-Ｚａ-ｚ]+)*")
HALF = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}


class NullError(Exception):
    """A template outputs a value that is null, or a list or mapping."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class MissingError(UndefinedError):
    """A name or attribute does not exist. `owner` is the mapping that lacks it; None for a variable."""

    def __init__(self, message: str | None, *, name: str, owner: Any) -> None:
        super().__init__(message)
        self.name, self.owner = name, owner


class NamedUndefined(StrictUndefined):
    """StrictUndefined whose error knows the name."""

    __slots__ = ()

    def __init__(
        self, hint: str | None = None, obj: Any = None, name: str | None = None, exc: Any = None
    ) -> None:
        owner = obj if isinstance(obj, Mapping) else None
        error = functools.partial(MissingError, name=str(name), owner=owner)
        missing = {"obj": obj} if obj is not None else {}
        super().__init__(hint, name=name, exc=error, **missing)  # type: ignore[arg-type]


class FolderLoader(BaseLoader):
    """Load .j2 files from one folder; nothing outside it, not even through a link."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool] | None]:
        """Return text and file name of a template; TemplateNotFound with the reason."""
        path = self.folder / template
        if "\0" in template or not template.endswith(".j2") or not path.is_file():
            raise TemplateNotFound(template, f"there is no template file {template!r} in {self.folder}")
        if not path.resolve().is_relative_to(self.folder):
            raise TemplateNotFound(template, f"{template!r} is outside the experiment's folder")
        if path.stat().st_size > LARGEST_TEMPLATE:
            raise TemplateNotFound(template, f"{template!r} is larger than {LARGEST_TEMPLATE:,} bytes")
        try:
            return path.read_text(encoding="utf-8-sig"), str(path), None
        except UnicodeDecodeError as error:
            raise TemplateNotFound(template, f"{template!r} is not UTF-8 text") from error


class ExperimentEnvironment(ImmutableSandboxedEnvironment):
    """The environment in which an experiment's templates are compiled and rendered."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            undefined=NamedUndefined,
            loader=FolderLoader(folder),
            autoescape=False,
            keep_trailing_newline=False,
        )
        del self.globals["lipsum"]
        self.filters.update(nfkc=nfkc, half_width=half_width)
        self.filters["_output"] = _output

    def compile(self, source: Any, *arguments: Any, **options: Any) -> Any:
        """Compile text or a syntax tree, with a check of every value that it outputs."""
        if isinstance(source, str):
            name, filename = (*arguments, None, None)[:2]
            source = self.parse(source, name, filename)
        return super().compile(_WithOutput().visit(source), *arguments, **options)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Prefer a mapping's key to its methods: `row.items` is the column called items."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def join_path(self, template: str, parent: str) -> str:
        """Return the name of an included template; names are relative to the experiment's folder."""
        return template


def half_width(value: Any) -> Any:
    """Return text with half-width digits and letters, １２．５ as 12.5; everything else stays."""
    return WIDE.sub(lambda found: found[0].translate(HALF), value) if isinstance(value, str) else value


def nfkc(value: Any) -> Any:
    """Return text in Unicode form NFKC: １２ is 12 and ｱ is ア, but ① is 1 too, and x² is x2."""
    return unicodedata.normalize("NFKC", value) if isinstance(value, str) else value


def _output(value: Any, name: str) -> str:
    if value is None:
        raise NullError(name, f"{name} is null")
    if isinstance(value, (list, tuple, dict)):
        kind = "a mapping" if isinstance(value, dict) else "a list"
        raise NullError(name, f"{name} is {kind}, not text: use e.g. `| join(', ')` or `| tojson`")
    return str(value)


class _WithOutput(NodeTransformer):
    """Wrap every value that a syntax tree outputs in `_output`."""

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        names = [None if isinstance(one, nodes.TemplateData) else expression_name(one) for one in node.nodes]
        self.generic_visit(node)
        pairs = zip(node.nodes, names, strict=True)
        node.nodes = [one if name is None else _named(one, name) for one, name in pairs]
        return node


def _named(node: Any, name: str) -> nodes.Filter:
    constants = [nodes.Const(name, lineno=node.lineno)]
    wrapped = nodes.Filter(node, "_output", constants, [], None, None, lineno=node.lineno)
    wrapped.set_environment(node.environment)
    return wrapped


def expression_name(node: nodes.Node) -> str:
    """Return a value as the template spells it: `x`, `row.x`, `x | upper`; else `an expression`."""
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            return f"{expression_name(node.node)}.{node.attr}"
        case nodes.Getitem(arg=nodes.Const(value=value)):
            return f"{expression_name(node.node)}[{value!r}]"
        case nodes.Filter() if node.node is not None:
            return f"{expression_name(node.node)} | {node.name}"
    return "an expression"
