"""The entries of a file of questions as trees, with the places of their values, and their problems."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ftrun.errors import Problem
from ftrun.experiment.nodes import Node, plain
from ftrun.experiment.places import LINE_BREAK, excerpt, shown_path

DEEPEST = 40
MOST_PROBLEMS = 20  # reported of one file
LONGEST_ID = 64
KEYS = ("id", "user", "messages", "system", "reference", "expect", "tools", "tags", "group")
NOTE = "_"  # what begins with it is for people


class UnusableError(Exception):
    """The rest of the file can't be read; the problem is reported."""


class FaultError(ValueError):
    """A value can't be used; the message says why."""


class EntryReader:
    """A file's text, with the places of its characters, and the problems found so far."""

    def __init__(self, path: Path) -> None:
        self.path, self.text = path, ""
        self.problems: list[Problem] = []
        self._starts = [0]

    def begin(self, text: str) -> None:
        """Take the text of the file."""
        self.text = text
        self._starts = [0, *(found.end() for found in LINE_BREAK.finditer(text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of a character."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def add(self, message: str, offset: int, *, hint: str | None = None, code: str = "prompt_file") -> None:
        """Report a problem at a character."""
        line, column = self.place(offset)
        shown = excerpt(self.text, line, column)
        where: dict[str, Any] = {"file": shown_path(self.path), "line": line, "column": column}
        self.problems.append(Problem(message + shown, code=code, hint=hint, **where))
        if len(self.problems) >= MOST_PROBLEMS:
            raise UnusableError

    def end(
        self, message: str, offset: int, *, hint: str | None = None, code: str = "prompt_file"
    ) -> NoReturn:
        """Report a problem after which nothing can be read."""
        self.add(message, offset, hint=hint, code=code)
        raise UnusableError

    def entry(
        self, values: Mapping[str, Any], begin: int, places: Mapping[str, tuple[int, int]]
    ) -> Iterator[Node]:
        """Yield the tree of an entry that begins at `begin`, unless a value can't be used, which is reported.

        `places` are the offsets of keys and values.
        """
        line, column = self.place(begin)
        node = Node({}, file=self.path, line=line, column=column)
        node.key_line, node.key_column = line, column
        given = {name: value for name, value in values.items() if not name.startswith(NOTE)}
        if given.get("id") is None:
            given["id"] = _default_id(self.path.stem, line)
        for name, value in given.items():
            key, at = places.get(name, (begin, begin))
            if name not in KEYS:
                self._refuse_key(name, KEYS, key)
                continue
            try:
                child = _tree(_plain(name, value), self.path, self.place(key), self.place(at))
            except FaultError as error:
                self.add(f"{name}: {error}", at)
                return
            node.value[name] = child
            self._place_parts(name, child, places)
        yield node

    def _place_parts(self, name: str, node: Node, places: Mapping[str, tuple[int, int]]) -> None:
        """Give the parts of a mapping that have cells of their own the places of those."""
        for part in node.value if isinstance(node.value, dict) else ():
            if f"{name}.{part}" in places:
                key, at = map(self.place, places[f"{name}.{part}"])
                node.value[part] = _tree(plain(node.value[part]), self.path, key, at)

    def _refuse_key(self, name: str, known: Sequence[str], offset: int) -> None:
        self.add(f"{name}: unknown key", offset, hint=unknown_hint(name, known), code="unknown_key")


def unknown_hint(name: str, known: Sequence[str]) -> str:
    """Return what an unknown key or column was probably meant to be, and how to keep it as a note."""
    import difflib  # only errors need it

    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean `{near[0]}`? A name that begins with _ is a note, which is not read."
    return f"Known here: {', '.join(known)}. A name that begins with _ is a note, which is not read."


def _default_id(stem: str, line: int) -> str:
    """Return STEM:LINE, with a stem that fits and has no control characters."""
    name = "".join(one if one.isprintable() else "_" for one in stem)
    return f"{name[: LONGEST_ID - len(str(line)) - 1]}:{line}"


def _plain(name: str, value: Any) -> Any:
    """Return a value as the schema has it: ids and references are texts, whatever JSON made of them."""
    if name == "reference" and value is not None and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if name == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _tree(value: Any, file: Path, key: tuple[int, int], place: tuple[int, int], depth: int = 0) -> Node:
    """Return JSON values as a tree of which every part has the place of the whole."""
    if depth > DEEPEST:
        raise FaultError(f"more than {DEEPEST} levels of nesting")
    if isinstance(value, str) and not _is_text(value):
        raise FaultError("a text has a lone surrogate, half of a character such as an emoji")
    node = Node(value, file=file, line=place[0], column=place[1])
    node.key_line, node.key_column = key
    if isinstance(value, dict):
        node.value = {name: _tree(one, file, key, place, depth + 1) for name, one in value.items()}
    elif isinstance(value, list):
        node.value = [_tree(one, file, key, place, depth + 1) for one in value]
    return node


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
