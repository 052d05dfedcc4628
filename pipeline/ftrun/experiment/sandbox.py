"""Owns the Jinja2 environment of an experiment: sandboxed, strict, confined to a folder, and capped.

Jinja's sandbox keeps templates from reaching Python. It does not bound what a template costs, so every loop,
call, filter, operator and output also passes a `Meter`. Not for use by several threads at once.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound, nodes
from jinja2.exceptions import UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from ftrun.experiment.document import LARGEST_TEMPLATE
from ftrun.experiment.widths import half_width, nfkc

LARGEST_OUTPUT = 1_000_000  # characters
LONGEST_SECONDS = 5.0  # of the processor: a run that was stopped, or waits for it, has taken none
MOST_STEPS = 200_000
LARGEST_ARGUMENT = 100_000
WIDE_FORMAT = re.compile(r"[0-9]{6,}|\{[^{}]*:[^{}]*\{")  # the second: a width that is itself a field
METERED = ("*", "**", "+", "%")


class LimitError(Exception):
    """A template goes beyond a cap; the message says which."""


class NullError(Exception):
    """A template puts out a value that is null, or that has no text of its own."""

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


class Meter:
    """Counts what one rendering costs."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin anew."""
        self.steps = 0
        self.characters = 0
        self.deadline = time.thread_time() + LONGEST_SECONDS

    def step(self, characters: int = 0) -> None:
        """Count one step and what it puts out; LimitError beyond a cap."""
        self.steps += 1
        self.characters += characters
        if self.characters > LARGEST_OUTPUT:
            raise LimitError(f"it puts out more than {LARGEST_OUTPUT:,} characters")
        if self.steps > MOST_STEPS:
            raise LimitError(f"it takes more than {MOST_STEPS:,} steps")
        if self.steps % 64 == 0 and time.thread_time() > self.deadline:
            raise LimitError(f"it takes longer than {LONGEST_SECONDS:g} seconds")

    def check(self, value: Any) -> Any:
        """Return `value` unless it is too large."""
        if isinstance(value, (str, bytes, list, tuple)) and len(value) > LARGEST_OUTPUT:
            raise LimitError(f"a value in it grows beyond {LARGEST_OUTPUT:,} characters or entries")
        if isinstance(value, int) and value.bit_length() > 4096:
            raise LimitError("a number in it grows beyond 4096 bits")
        return value

    def check_arguments(
        self, name: str, value: Any, arguments: tuple[Any, ...], options: Mapping[str, Any]
    ) -> None:
        """Refuse arguments that would make a filter or method `name` of `value` build something huge."""
        self.step()
        extra = [*arguments, *options.values()]
        if any(isinstance(one, int) and abs(one) > LARGEST_ARGUMENT for one in extra):
            raise LimitError(f"an argument of `{name}` is larger than {LARGEST_ARGUMENT:,}")
        if name in ("format", "__mod__") and isinstance(value, str) and WIDE_FORMAT.search(value):
            raise LimitError("a format in it is too wide")
        if name == "replace" and isinstance(value, str) and len(arguments) >= 2:
            old, new = str(arguments[0]), str(arguments[1])
            if value.count(old) * len(new) > LARGEST_OUTPUT:
                raise LimitError(f"`replace` makes more than {LARGEST_OUTPUT:,} characters")
        if name == "join":
            self._check_join(value, extra)

    def _check_join(self, value: Any, extra: list[Any]) -> None:
        parts = [one for one in (value, *extra) if isinstance(one, (list, tuple, str))]
        size = sum(len(text) for part in parts for text in part if isinstance(text, str))
        separators = max((len(one) for one in parts if isinstance(one, str)), default=0)
        if size + separators * max(map(len, parts), default=0) > LARGEST_OUTPUT:
            raise LimitError(f"`join` makes more than {LARGEST_OUTPUT:,} characters")


class FolderLoader(BaseLoader):
    """Loads .j2 files below one folder; nothing outside it, also not through a link."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool] | None]:
        """Return text and file name of a template; TemplateNotFound with the reason."""
        path = self.folder / template
        if "\0" in template or not template.endswith(".j2") or not path.is_file():
            raise TemplateNotFound(template, f"there is no template file {template!r} below {self.folder}")
        if not path.resolve().is_relative_to(self.folder):
            raise TemplateNotFound(template, f"{template!r} lies outside the experiment's folder")
        if path.stat().st_size > LARGEST_TEMPLATE:
            raise TemplateNotFound(template, f"{template!r} is larger than {LARGEST_TEMPLATE:,} bytes")
        try:
            return path.read_text(encoding="utf-8-sig"), str(path), None
        except UnicodeDecodeError as error:
            raise TemplateNotFound(template, f"{template!r} is not UTF-8 text") from error


class ExperimentEnvironment(ImmutableSandboxedEnvironment):
    """The environment in which an experiment's templates are compiled and rendered."""

    intercepted_binops = frozenset(METERED)

    def __init__(self, folder: Path) -> None:
        super().__init__(
            undefined=NamedUndefined,
            loader=FolderLoader(folder),
            autoescape=False,
            keep_trailing_newline=False,
        )
        self.meter = Meter()
        del self.globals["lipsum"]
        self.filters.update(nfkc=nfkc, half_width=half_width)
        self.filters = {name: self._metered(name, function) for name, function in self.filters.items()}
        self.filters.update(_output=self._output, _loop=self._loop, _concat=self._concat)

    def compile(self, source: Any, *arguments: Any, **options: Any) -> Any:
        """Compile text or a syntax tree, with the meter built into loops, outputs and `~`."""
        if isinstance(source, str):
            name, filename = (*arguments, None, None)[:2]
            source = self.parse(source, name, filename)
        return super().compile(_WithMeter().visit(source), *arguments, **options)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Prefer a mapping's key to its methods: `row.items` is the column called items."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def join_path(self, template: str, parent: str) -> str:
        """Return the name of an included template; names are relative to the experiment's folder."""
        self.meter.step()
        return template

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Apply an operator whose result stays small."""
        self.meter.step()
        if operator == "*":
            sizes = [len(one) if isinstance(one, (str, list, tuple)) else one for one in (left, right)]
            if not all(isinstance(one, (int, float)) and one < 1e18 for one in sizes):
                raise LimitError("a product in it is too large")
            if isinstance(left, (str, list, tuple)) or isinstance(right, (str, list, tuple)):
                self.meter.check_arguments("*", None, (sizes[0] * sizes[1],), {})
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            self.meter.check_arguments("**", None, (left.bit_length() * right,), {})
        if operator == "%" and isinstance(left, str):
            extra = right if isinstance(right, tuple) else (right,)
            self.meter.check_arguments("__mod__", left, extra, {})
        return self.meter.check(super().call_binop(context, operator, left, right))

    def call(__self, __context: Any, __obj: Any, *arguments: Any, **options: Any) -> Any:
        """Call a function or method of a template, metered."""
        owner = getattr(__obj, "__self__", None)
        name = getattr(__obj, "__name__", "")
        if isinstance(owner, str):
            __self.meter.check_arguments(name, owner, arguments, options)
        else:
            __self.meter.step()
        return __self.meter.check(super().call(__context, __obj, *arguments, **options))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return `str.format` in Jinja's safe form and with bounded widths; None for other functions."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def metered(*arguments: Any, **options: Any) -> str:
            self.meter.check_arguments("format", value.__self__, arguments, options)
            return wrapped(*arguments, **options)

        return metered

    def _metered(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        # Jinja passes its context first to filters that ask for it
        first = 1 if hasattr(function, "jinja_pass_arg") else 0

        @functools.wraps(function)
        def metered(*arguments: Any, **options: Any) -> Any:
            value = arguments[first] if len(arguments) > first else None
            self.meter.check_arguments(name, value, arguments[first + 1 :], options)
            return self.meter.check(function(*arguments, **options))

        return metered

    def _output(self, value: Any, name: str) -> str:
        if value is None:
            raise NullError(name, f"{name} is null")
        if isinstance(value, (list, tuple, dict)):
            kind = "a mapping" if isinstance(value, dict) else "a list"
            raise NullError(name, f"{name} is {kind}, not text: use e.g. `| join(', ')` or `| tojson`")
        text = str(value)
        self.meter.step(len(text))
        return text

    def _loop(self, values: Iterable[Any], static: int) -> Iterator[Any]:
        for value in values:
            self.meter.step(static)
            yield value

    def _concat(self, values: list[Any]) -> str:
        texts = [str(value) for value in values]
        if sum(map(len, texts)) > LARGEST_OUTPUT:
            raise LimitError(f"`~` makes more than {LARGEST_OUTPUT:,} characters")
        self.meter.step()
        return "".join(texts)


class _WithMeter(NodeTransformer):
    """Puts the meter into a syntax tree: around loops, outputs and `~`."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        static = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
        self.generic_visit(node)
        node.iter = _filter(node.iter, "_loop", static)
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        names = [None if isinstance(one, nodes.TemplateData) else expression_name(one) for one in node.nodes]
        self.generic_visit(node)
        pairs = zip(node.nodes, names, strict=True)
        node.nodes = [one if name is None else _filter(one, "_output", name) for one, name in pairs]
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno, environment=node.environment), "_concat")


def _filter(node: Any, name: str, *arguments: Any) -> nodes.Filter:
    constants = [nodes.Const(argument, lineno=node.lineno) for argument in arguments]
    wrapped = nodes.Filter(node, name, constants, [], None, None, lineno=node.lineno)
    wrapped.set_environment(node.environment)
    return wrapped


def expression_name(node: nodes.Node) -> str:
    """Return how a template spells a value: `x`, `row.x`, `x | upper`; else `an expression`."""
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
