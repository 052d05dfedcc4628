"""Owns a first look at a data file that no experiment describes yet, for `ftrun init`.

Reads with the readers that a run will use, so that what passes here passes there.
Only the encoding is guessed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.data.encodings import find_encoding, text_lines
from ftrun.data.findings import Findings
from ftrun.data.json_rows import read_json, read_jsonl
from ftrun.data.place import FilePlace, UnusableFileError
from ftrun.data.sources import ENDINGS, ending_of
from ftrun.data.tables import read_table
from ftrun.data.unpacking import told
from ftrun.errors import DataError
from ftrun.experiment.places import shown_path

Rows = Iterator[tuple[int, dict[str, Any]]]
KANA = re.compile("[\u3040-\u30ff]")
LARGEST = 512_000_000  # bytes; what a provider takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a data file looks like.

    `encoding` is None where a reader finds it by itself; `chat` says that the rows are ready chats.
    """

    path: Path
    format: str
    encoding: str | None
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    chat: bool


def peek(path: Path) -> Look:
    """Return what the file at `path` looks like; DataError has everything that keeps it from being rows."""
    _check_place(path)
    form = ENDINGS.get(ending_of(path))
    if form is None:
        hint = "Save it as .csv, .tsv, .jsonl or .json, and name it so."
        raise _error(path, f"the ending {path.suffix or '(none)'!r} names no format", "unknown_format", hint)
    encoding = _encoding(path)
    rows = _rows(path, form, encoding)
    columns = tuple(dict.fromkeys(str(name) for row in rows for name in row))
    if "conversations" in columns and "messages" not in columns:
        hint = 'Write each row as {"messages": [{"role": "user", "content": "…"}, …]}.'
        raise _error(path, "rows with `conversations` are no chats of this API", "conversations", hint)
    chat = isinstance(rows[0].get("messages"), list)
    return Look(path=path, format=form, encoding=encoding, columns=columns, rows=rows, chat=chat)


def _check_place(path: Path) -> None:
    if not path.exists():
        raise _error(path, "there is no such file", "missing_file", _near(path))
    if not path.is_file():
        raise _error(path, "this is no regular file", "not_a_file", "Name one CSV, TSV, JSONL or JSON file.")
    if path.stat().st_size > LARGEST:
        raise _error(path, f"the file is larger than {LARGEST:,} bytes", "too_large", "Divide it.")


def _near(path: Path) -> str | None:
    if not path.parent.is_dir():
        return f"The folder {shown_path(path.parent)} does not exist either."
    names = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix.lower() in ENDINGS)
    return f"Data files in that folder: {', '.join(names[:10])}." if names else None


def _encoding(path: Path) -> str | None:
    """Return the encoding that the experiment should name; None where nothing need be said."""
    findings = Findings()
    with contextlib.suppress(UnusableFileError), told(FilePlace(shown_path(path), findings)):
        return find_encoding(path)
    findings.raise_errors()
    return None


def _rows(path: Path, form: str, encoding: str | None) -> tuple[dict[str, Any], ...]:
    readers: dict[str, Callable[[Iterator[str], FilePlace], Rows]] = {
        "csv": lambda lines, place: read_table(lines, ",", place),
        "tsv": lambda lines, place: read_table(lines, "\t", place),
        "jsonl": read_jsonl,
        "json": read_json,
    }
    findings = Findings()
    place = FilePlace(shown_path(path), findings)
    rows: tuple[dict[str, Any], ...] = ()
    with contextlib.suppress(UnusableFileError):  # its problem is among the findings
        rows = tuple(values for _, values in readers[form](text_lines(path, encoding, place), place))
    findings.raise_errors()
    if not rows:
        raise _error(path, "there are no rows", "empty_file", "Put a line of column names and rows into it.")
    return rows


def _error(path: Path, message: str, code: str, hint: str | None) -> DataError:
    return DataError(message, code=code, hint=hint, file=shown_path(path))
