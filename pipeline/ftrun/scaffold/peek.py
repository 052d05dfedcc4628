"""A first look at a data file that no experiment describes yet, for `ftrun init`.

Reads with the readers that a run will use, so that what passes here passes there.
Only the encoding is guessed, and then named in the experiment.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.data.diagnostics.codes import CODES
from ftrun.data.diagnostics.findings import Findings
from ftrun.data.diagnostics.place import FilePlace, UnusableFileError
from ftrun.data.examples.other_forms import converted, is_sharegpt
from ftrun.data.readers.encodings import find_encoding, is_sure
from ftrun.data.readers.gzip_files import read_problems
from ftrun.data.readers.rows import TEXT, numbered
from ftrun.data.readers.sources import ENDINGS, OTHER_TABLES, SourceFile, extension_of
from ftrun.errors import DataError
from ftrun.experiment.model import Source
from ftrun.experiment.places import shown_path

KANA = re.compile("[\u3040-\u30ff]")
LARGEST = 512_000_000  # bytes; what a provider takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a data file looks like.

    `encoding` is None where it is UTF-8 or marked, `guessed` if other encodings would do as well; `chat` says
    that the rows are ready chats, `sharegpt` that they had to be made so.
    """

    path: Path
    format: str
    encoding: str | None
    guessed: bool
    sheet: str | None
    query: str | None
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    chat: bool
    sharegpt: bool


def peek(path: Path, *, sheet: str | None = None, query: str | None = None) -> Look:
    """Return what the file at `path` looks like; DataError has everything that keeps it from being rows.

    `sheet` names that of a workbook; `query` is what an SQLite file is asked.
    """
    _check_place(path)
    form = ENDINGS.get(extension_of(path))
    if (extension := extension_of(path)) in OTHER_TABLES:
        raise _error(path, f"{extension} files are not read", "other_table", CODES["other_table"].cure)
    if form is None:
        tabs = "If Excel saved it as text, there are tabs between its columns: name it .tsv. "
        others = f"Save it as one of {', '.join(sorted(ENDINGS))}, and name it so."
        hint = tabs + others if path.suffix.lower() == ".txt" else others
        raise _error(path, f"the ending {path.suffix or '(none)'!r} names no format", "unknown_format", hint)
    encoding = _encoding(path) if form in TEXT else None
    source = Source(path=path.name, base=path.parent, key=(), encoding=encoding, sheet=sheet, query=query)
    rows = _rows(SourceFile(path=path, source=source, role="data", format=form))
    columns = tuple(dict.fromkeys(str(name) for row in rows for name in row))
    sharegpt = all(map(is_sharegpt, rows))
    rows = tuple(map(converted, rows)) if sharegpt else rows
    chat = isinstance(rows[0].get("messages"), list)
    return Look(
        path=path,
        format=form,
        encoding=encoding,
        guessed=encoding is not None and not is_sure(path, encoding),
        sheet=sheet,
        query=query,
        columns=columns,
        rows=rows,
        chat=chat,
        sharegpt=sharegpt,
    )


def _check_place(path: Path) -> None:
    if not path.exists():
        raise _error(path, "there is no such file", "missing_file", _near(path))
    if not path.is_file():
        raise _error(path, "this is no regular file", "not_a_file", "Name one data file.")
    if path.stat().st_size > LARGEST:
        raise _error(path, f"the file is larger than {LARGEST:,} bytes", "too_large", "Divide it.")


def _near(path: Path) -> str | None:
    if not path.parent.is_dir():
        return f"The folder {shown_path(path.parent)} does not exist either."
    names = sorted(entry.name for entry in path.parent.iterdir() if extension_of(entry) in ENDINGS)
    return f"Data files in that folder: {', '.join(names[:10])}." if names else None


def _encoding(path: Path) -> str | None:
    """Return the encoding that the experiment should name; None where nothing need be said."""
    findings = Findings()
    with contextlib.suppress(UnusableFileError), read_problems(FilePlace(shown_path(path), findings)):
        return find_encoding(path)
    findings.raise_errors()
    return None


def _rows(file: SourceFile) -> tuple[dict[str, Any], ...]:
    findings = Findings()
    place = FilePlace(shown_path(file.path), findings)
    rows: tuple[dict[str, Any], ...] = ()
    with contextlib.suppress(UnusableFileError):  # its problem is among the findings
        rows = tuple(values for _, values in numbered(file, place, needed=frozenset()))
    findings.raise_errors()
    if not rows:
        raise _error(
            file.path, "there are no rows", "empty_file", "Put a line of column names and rows into it."
        )
    return rows


def _error(path: Path, message: str, code: str, hint: str | None) -> DataError:
    return DataError(message, code=code, hint=hint, file=shown_path(path))
