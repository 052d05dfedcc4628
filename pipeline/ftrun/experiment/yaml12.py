"""Read YAML: libyaml's events become nodes with places, scalars as YAML 1.2 reads them.

Tags, anchors, duplicate keys, several documents and deep nesting are refused, each with its place.
PyYAML's own constructors are never used, so no file can create anything but plain values.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from ftrun.errors import ConfigError, Problem
from ftrun.experiment.decode import refuse_control_characters
from ftrun.experiment.nodes import Node
from ftrun.experiment.places import LINE_BREAK, excerpt, shown_path, shown_value

DEEPEST = 40
MOST_NODES = 20_000
# the C parser is in every wheel of PyYAML; a build without libyaml only reads more slowly
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

NULLS = frozenset(("", "~", "null", "Null", "NULL"))
TRUES, FALSES = frozenset(("true", "True", "TRUE")), frozenset(("false", "False", "FALSE"))
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
FULL_WIDTH_KEY = re.compile(r"^[ \-\u3000]*[\w.\-]+[ \u3000]*(：|:\u3000)")
QUOTE_TEMPLATES = 'Put quotes around a template: "{{ name }}".'


class _Frame:
    """A mapping or list that is still open; `key` is the scalar event whose value comes next."""

    __slots__ = ("key", "node")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.key: Any = None


class _Composer:
    """Build the tree of one file. `file` is None for a --set value, whose problems `name` then identifies."""

    def __init__(self, text: str, file: Path | None, name: str) -> None:
        self.text, self.file, self.name = text, file, name
        self.root: Node | None = None
        self.frames: list[_Frame] = []
        self.problems: list[Problem] = []
        self.nodes = 0
        self.documents = 0

    def compose(self) -> Node:
        """Return the root node; ConfigError holds every problem found."""
        try:
            for event in yaml.parse(self.text, Loader=LOADER):
                self._take(event)
        except yaml.YAMLError as error:
            self._add_syntax_error(error)
        if self.root is None and not self.problems:
            self._problem(f"{self.name} is empty", "yaml_empty", 1, 1)
        if self.problems:
            raise ConfigError(self.problems[0].message, problems=self.problems)
        assert self.root is not None
        return self.root

    def _take(self, event: Any) -> None:
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            self._fatal(f"aliases (*{event.anchor}) are not supported", "yaml_alias", mark, _REUSE)
        if isinstance(event, yaml.DocumentStartEvent):
            self._start_document(event)
        if not isinstance(event, yaml.NodeEvent):
            if isinstance(event, yaml.CollectionEndEvent):
                self.frames.pop()
            return
        self._refuse_extras(event)
        self._count(mark)
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event)
        else:
            self._open(event)

    def _start_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            self._fatal(
                "a second document starts here",
                "yaml_documents",
                event.start_mark,
                "Write one experiment per file.",
            )
        if event.tags:
            self._fatal("%TAG is not supported", "yaml_tag", event.start_mark, "Delete the line.")

    def _refuse_extras(self, event: Any) -> None:
        mark = event.start_mark
        if event.anchor is not None:
            self._add(f"anchors (&{event.anchor}) are not supported", "yaml_anchor", mark, _REUSE)
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._add(
                f"tags ({tag}) are not supported",
                "yaml_tag",
                mark,
                "Delete the tag, or put quotes around the text.",
            )

    def _count(self, mark: Any) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            self._fatal(
                f"there are more than {MOST_NODES:,} values",
                "yaml_too_large",
                mark,
                "Put data into a data file.",
            )
        if len(self.frames) > DEEPEST:
            self._fatal(f"the nesting is deeper than {DEEPEST} levels", "yaml_depth", mark, None)

    def _open(self, event: Any) -> None:
        frame = self.frames[-1] if self.frames else None
        mark = event.start_mark
        if frame is not None and isinstance(frame.node.value, dict) and frame.key is None:
            self._fatal("a mapping or list cannot be a key", "yaml_key", mark, QUOTE_TEMPLATES)
        node = self._node([] if isinstance(event, yaml.SequenceStartEvent) else {}, event)
        self._place(node)
        self.frames.append(_Frame(node))

    def _take_scalar(self, event: Any) -> None:
        frame = self.frames[-1] if self.frames else None
        if frame is not None and isinstance(frame.node.value, dict) and frame.key is None:
            frame.key = event
            if event.value in frame.node.value:
                message = f"the key {shown_value(event.value)} is duplicated"
                self._add(message, "duplicate_key", event.start_mark, "Delete one of them.")
            return
        value = self._scalar(event) if event.implicit[0] else event.value
        self._place(self._node(value, event))

    def _node(self, value: Any, event: Any) -> Node:
        mark = event.start_mark
        block = getattr(event, "style", None) in ("|", ">")
        return Node(value, file=self.file, line=mark.line + 1, column=mark.column + 1, block=block)

    def _place(self, node: Node) -> None:
        if not self.frames:
            self.root = node
            return
        frame = self.frames[-1]
        if isinstance(frame.node.value, list):
            frame.node.value.append(node)
            return
        mark = frame.key.start_mark
        node.key_line, node.key_column = mark.line + 1, mark.column + 1
        frame.node.value.setdefault(frame.key.value, node)
        frame.key = None

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if text in NULLS:
            return None
        if text in TRUES or text in FALSES:
            return text in TRUES
        if INTEGER.fullmatch(text):
            return self._integer(text, event)
        if NOT_FINITE.fullmatch(text):
            return self._not_a_number(text, event)
        if FLOAT.fullmatch(text):
            number = float(text)
            return number if math.isfinite(number) else self._not_a_number(text, event)
        return text

    def _integer(self, text: str, event: Any) -> int | str:
        if len(text) > 18:
            return self._not_a_number(text, event)
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))

    def _not_a_number(self, text: str, event: Any) -> str:
        message = f"{text[:30]} is not a usable number"
        self._add(message, "yaml_number", event.start_mark, "Put quotes around it if it is text.")
        return str(text)

    def _add_syntax_error(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        lines = LINE_BREAK.split(self.text)
        if line > len(lines):
            line, column = len(lines), len(lines[-1]) + 1
        words = str(getattr(error, "problem", None) or error)
        self._problem(
            f"this is not valid YAML: {words}", "yaml_syntax", line, column, syntax_hint(lines, line, words)
        )

    def _fatal(self, message: str, code: str, mark: Any, hint: str | None) -> None:
        self._add(message, code, mark, hint)
        raise ConfigError(self.problems[0].message, problems=self.problems)

    def _add(self, message: str, code: str, mark: Any, hint: str | None) -> None:
        self._problem(message, code, mark.line + 1, mark.column + 1, hint)

    def _problem(self, message: str, code: str, line: int, column: int, hint: str | None = None) -> None:
        if self.file is None:
            self.problems.append(Problem(f"{self.name}: {message}", code=code, hint=hint))
            return
        message += excerpt(self.text, line, column)
        place: dict[str, Any] = {"file": shown_path(self.file), "line": line, "column": column}
        self.problems.append(Problem(message, code=code, hint=hint, **place))


_REUSE = "Write the value out, or share it between files with `extends:`."


def syntax_hint(lines: list[str], line: int, words: str = "") -> str | None:
    """Return the likely mistake at or just above line `line`, or None."""
    near = lines[max(0, line - 3) : line]
    if any(FULL_WIDTH_KEY.match(text) for text in near):
        return "A key is followed by a full-width colon or space (：): YAML needs a half-width `: `."
    if any(text.lstrip(" ").startswith("\u3000") for text in near):
        return "A line starts with a full-width space: indent with half-width spaces."
    if any(text.lstrip(" ").startswith("\t") for text in near) or "\\t" in words:
        return "There is a tab where YAML needs spaces."
    if "mapping values are not allowed" in words:
        return "Check the indentation, and put quotes around a text that contains `: `."
    if any("{{" in text or "{%" in text for text in near):
        return QUOTE_TEMPLATES
    return None


def compose(text: str, file: Path | None, name: str = "the file") -> Node:
    """Return the tree of one YAML document; ConfigError carries all problems with their places."""
    if file is not None:
        refuse_control_characters(text, file)
    return _Composer(text, file, name).compose()
