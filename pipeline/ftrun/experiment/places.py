"""Show a place in a file: its name and the offending line with a mark, with secrets masked."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrun.text import display_width, visible

if TYPE_CHECKING:
    from ftrun.experiment.model import Experiment

LINE_BREAK = re.compile(r"\r\n|\r|\n")
WIDEST = 100  # columns of an excerpt


def absolute(path: Path) -> Path:
    """Return the absolute path. Links are not resolved: a linked file's paths are relative to the link."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def shown_path(path: Path) -> str:
    """Return `path` relative to the current directory if it is below it, otherwise in full."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def excerpt(text: str, line: int, column: int) -> str:
    """Return line `line` of `text` with a mark under `column`, on two lines; "" if there is no such line."""
    from ftrun.experiment.key_shapes import (
        masked,  # its patterns take milliseconds, and only errors need them
    )

    lines = _lines(text)
    if not 1 <= line <= len(lines) or not lines[line - 1].strip():
        return ""
    content = lines[line - 1].replace("\t", " ")
    safe = masked(content)
    head = f"  {line} | "
    if safe != content or column > WIDEST:  # the columns no longer fit
        return f"\n{head}{visible(safe[:WIDEST])}"
    before = display_width(visible(content[: column - 1]))
    return f"\n{head}{visible(content[:WIDEST])}\n{' ' * (len(head) - 2)}| {' ' * before}^"


@functools.lru_cache(4)  # a large file may have many problems
def _lines(text: str) -> list[str]:
    return LINE_BREAK.split(text)


def shown_value(value: object) -> str:
    """Return `value` as a short text for a message, with anything that looks like a key masked."""
    import json

    from ftrun.experiment.key_shapes import masked

    text = json.dumps(value, ensure_ascii=False, default=str)
    text = masked(text)
    return text if len(text) <= 60 else text[:57] + "…"


def place_of(experiment: Experiment, *key: str | int) -> dict[str, Any]:
    """Return file, line and column of a key path, or of its nearest parent, in the experiment file."""
    while key:
        if key in experiment.places:
            file, line, column = experiment.places[key]
            return {"file": shown_path(file), "line": line, "column": column}
        key = key[:-1]
    return {"file": shown_path(experiment.file)}
