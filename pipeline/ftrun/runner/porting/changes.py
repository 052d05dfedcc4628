"""What the new experiment file says: as text, as values of --set, and how another file differs from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from ftrun.errors import FtrunError
from ftrun.experiment.nodes import plain
from ftrun.experiment.yaml12 import compose
from ftrun.experiment.yaml_writing import flow, scalar

SCHEMA = "yaml-language-server:"
WIDE = 100  # columns of a comment
DEEPEST = 3  # levels of mappings that are written line by line
Changes = Mapping[str, Any]


def file_text(changes: Changes, *, schema: str | None, comments: Mapping[str, str], command: str) -> str:
    """Return the text of the new experiment file; `comments` are reasons by the key that they explain."""
    lines = [] if schema is None else [schema]
    lines.append(f"# Written by `{command}`. It is yours now: nothing overwrites it.")
    lines += _mapping(changes, 0, "", comments)
    return "\n".join(lines) + "\n"


def _mapping(values: Mapping[str, Any], depth: int, path: str, comments: Mapping[str, str]) -> Iterator[str]:
    indent = "  " * depth
    for key, value in values.items():
        place = f"{path}.{key}" if path else key
        if place in comments:
            yield from (f"{indent}# {line}" for line in wrap(comments[place], WIDE - len(indent)))
        if isinstance(value, Mapping) and value and depth < DEEPEST - 1:
            yield f"{indent}{scalar(str(key))}:"
            yield from _mapping(value, depth + 1, place, comments)
        elif isinstance(value, list) and value:
            yield f"{indent}{scalar(str(key))}:"
            yield from (f"{indent}  - {flow(one)}" for one in value)
        else:
            yield f"{indent}{scalar(str(key))}: {flow(value)}"


def schema_line(config: Path) -> str | None:
    """Return the line for editors that a file in the same folder begins with."""
    try:
        with config.open(encoding="utf-8") as text:
            first = text.readline().strip()
    except (OSError, UnicodeDecodeError):
        return None
    return first if first.lstrip("# ").startswith(SCHEMA) else None


def with_overrides(changes: Changes, overrides: Sequence[str]) -> dict[str, Any]:
    """Return the changes with the values of --set in them."""
    from ftrun.experiment.overrides import apply

    root = compose(json.dumps(changes), None, "")
    for one in overrides:
        apply(root, one)
    found = plain(root)
    assert isinstance(found, dict)
    return found


def as_overrides(changes: Changes) -> list[str]:
    """Return the changes as values of --set, so that the new experiment can be read before its file is there.
    `extends` is left out: the old file itself is read.
    """
    return [
        f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in leaves(changes) if key != "extends"
    ]


def leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what replaces a value of the old file, by its place: only mappings are merged."""
    for key, value in values.items():
        place = f"{path}.{key}" if path else key
        if isinstance(value, Mapping) and value:
            yield from leaves(value, place)
        else:
            yield place, value


def read_changes(path: Path) -> dict[str, Any] | None:
    """Return what an experiment file says itself; None if it can't be read as one."""
    try:
        found = plain(compose(path.read_text(encoding="utf-8"), path))
    except (OSError, UnicodeDecodeError, FtrunError):
        return None
    return found if isinstance(found, dict) else None


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return how two files differ, key by key."""
    old, new = dict(leaves(before)), dict(leaves(after))
    found = []
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            was, now = (
                flow(old[key]) if key in old else "nothing",
                flow(new[key]) if key in new else "nothing",
            )
            found.append(f"{key} is {was} there, {now} now")
    return found
