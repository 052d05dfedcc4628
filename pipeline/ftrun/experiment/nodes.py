"""The tree that a YAML file becomes: values with the place of every key and value, and their merging.

It knows nothing about experiments.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

KeyPath = tuple[str | int, ...]


class Node:
    """A value and its place. `value` is a scalar, a dict of str to Node, or a list of Nodes.

    `file` is None for a value of --set; `key_line` is None for list items and the root. Lines and columns
    count from 1. `block` is true for a `|` or `>` text, whose first line follows the mark's.
    """

    __slots__ = ("block", "column", "file", "key_column", "key_line", "line", "value")

    def __init__(self, value: Any, *, file: Path | None, line: int, column: int, block: bool = False) -> None:
        self.value, self.file, self.line, self.column, self.block = value, file, line, column, block
        self.key_line: int | None = None
        self.key_column: int | None = None

    @property
    def key_place(self) -> tuple[int, int]:
        """Return line and column of the key, or of the value if there is no key."""
        if self.key_line is None or self.key_column is None:
            return self.line, self.column
        return self.key_line, self.key_column

    @property
    def place(self) -> tuple[int, int]:
        """Return line and column of a scalar's value, or of the key of a mapping or list."""
        return self.key_place if isinstance(self.value, (dict, list)) else (self.line, self.column)


def plain(node: Node) -> Any:
    """Return only the values: dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def walk(node: Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
    """Yield every node with its key path, parents first."""
    yield path, node
    if isinstance(node.value, dict):
        for key, child in node.value.items():
            yield from walk(child, (*path, key))
    elif isinstance(node.value, list):
        for index, child in enumerate(node.value):
            yield from walk(child, (*path, index))


def merge(base: Node, over: Node) -> Node:
    """Return `over` merged into `base`: mappings are merged recursively, everything else is replaced."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    merged = dict(base.value)
    for key, child in over.value.items():
        merged[key] = merge(merged[key], child) if key in merged else child
    result = Node(merged, file=over.file, line=over.line, column=over.column)
    result.key_line, result.key_column = over.key_line, over.key_column
    return result


def find(node: Node, path: KeyPath) -> Node | None:
    """Return the node at `path`, or None if there is none."""
    for part in path:
        children = dict(enumerate(node.value)) if isinstance(node.value, list) else node.value
        if not isinstance(children, dict) or part not in children:
            return None
        node = children[part]
    return node


def spell(path: KeyPath) -> str:
    """Return a key path as people write it: `eval.prompts[1].user`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def get_in(data: Any, *path: str) -> Any:
    """Return the value at `path` of plain data, None if it or its parent is missing or of another type."""
    for part in path:
        if not isinstance(data, dict):
            return None
        data = data.get(part)
    return data


def entries_in(data: Any, *path: str) -> list[tuple[int, dict[str, Any]]]:
    """Return (index, entry) of the mappings in the list at `path` of plain data."""
    items = get_in(data, *path)
    if not isinstance(items, list):
        return []
    return [(index, item) for index, item in enumerate(items) if isinstance(item, dict)]


def one_spelling(value: Any) -> Any:
    """Return plain data with every whole float as an integer: 1.0 and 1 must not be two jobs or questions."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: one_spelling(one) for key, one in value.items()}
    return [one_spelling(one) for one in value] if isinstance(value, list) else value
