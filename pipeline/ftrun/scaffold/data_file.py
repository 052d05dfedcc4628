"""Reading a data file that no experiment describes yet, for `ftrun init`.

It uses the readers that a run will use, so that what passes here passes there. Only the encoding is guessed,
and then named in the experiment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.data.diagnostics.codes import CODES
from ftrun.data.diagnostics.findings import FilePlace, Findings, UnusableFileError
from ftrun.data.examples.other_forms import converted, is_sharegpt
from ftrun.data.readers.encodings import find_encoding, is_sure
from ftrun.data.readers.gzip_files import read_problems
from ftrun.data.readers.looking.content import format_of
from ftrun.data.readers.rows import numbered
from ftrun.data.readers.sources import ENDINGS, OTHER_TABLES, TEXT, SourceFile, extension_of
from ftrun.errors import DataError
from ftrun.experiment.model import Source
from ftrun.experiment.places import shown_path
from ftrun.scaffold.reading import Reading, day_files, reading_of

LARGEST = 512_000_000  # bytes; what a provider takes


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A data file and its rows.

    `encoding` is None for UTF-8 or a byte order mark, `unsure` if other encodings would do as well. `chat`
    says that the rows are chats, `sharegpt` that they had to be converted. `source_keys` are what else the
    source must say so that the file is read, and `remarks` name them for people.
    """

    path: Path
    format: str
    encoding: str | None
    unsure: bool
    sheet: str | None
    query: str | None
    source_keys: Mapping[str, str | int]
    remarks: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    chat: bool
    sharegpt: bool


def read_data_file(
    path: Path,
    *,
    sheet: str | None = None,
    query: str | None = None,
    asked: Mapping[str, str | int] | None = None,
) -> DataFile:
    """Read the file at `path`; DataError has everything that keeps it from being rows.

    `sheet` names the sheet of a workbook; `query` is what to ask an SQLite file; `asked` are other keys of
    the source that the caller knows.
    """
    days = day_files(path)
    form, findings = _format(days[0] if days else path), Findings()
    place = FilePlace(shown_path(path), findings)
    encoding: str | None = None
    rows: tuple[dict[str, Any], ...] = ()
    reading = Reading(format=form)
    with contextlib.suppress(UnusableFileError), read_problems(place):  # the findings say why
        first = days[0] if days else path
        encoding = find_encoding(first) if form in TEXT else None
        reading = reading_of(first, form, encoding, sheet, asked or {}, place)
        form = reading.format
        keys: dict[str, Any] = {"encoding": encoding, "sheet": sheet, "query": query, **reading.keys}
        keys["format"] = None
        source = Source(path=path.name, base=path.parent, key=(), **keys)
        files = [SourceFile(path=one, source=source, role="data", format=form) for one in days or [path]]
        rows = tuple(row for file in files for _, row in numbered(file, place, needed=frozenset()))
    findings.raise_errors()
    if not rows:
        raise unusable(path, "there are no rows", "empty_file", "Add a line of column names, and rows.")
    sharegpt = all(map(is_sharegpt, rows))
    columns = tuple(dict.fromkeys(str(name) for row in rows for name in row))
    rows = tuple(map(converted, rows)) if sharegpt else rows
    return DataFile(
        path=path,
        format=form,
        encoding=encoding,
        unsure=encoding is not None and not is_sure(path, encoding),
        sheet=sheet,
        query=query,
        source_keys=reading.keys,
        remarks=reading.remarks,
        columns=columns,
        rows=rows,
        chat=isinstance(rows[0].get("messages"), list),
        sharegpt=sharegpt,
    )


def _format(path: Path) -> str:
    """Return the format that the file's name says; DataError if it is not a file of rows."""
    if not path.exists():
        raise unusable(path, "there is no such file", "missing_file", _neighbours(path))
    if not path.is_file():
        raise unusable(path, "this is not a regular file", "not_a_file", "Name one data file.")
    if path.stat().st_size > LARGEST:
        raise unusable(path, f"the file is larger than {LARGEST:,} bytes", "too_large", "Split it.")
    extension = extension_of(path)
    if extension in OTHER_TABLES:
        raise unusable(path, f"{extension} files are not supported", "other_table", CODES["other_table"].fix)
    if extension not in ENDINGS:
        if found := format_of(path):
            return found
        hint = f"Save it as one of {', '.join(sorted(ENDINGS))}, and name it so."
        message = f"the extension {path.suffix or '(none)'!r} is not a known format"
        raise unusable(path, message, "unknown_format", hint)
    return ENDINGS[extension]


def _neighbours(path: Path) -> str | None:
    if not path.parent.is_dir():
        return f"The folder {shown_path(path.parent)} does not exist either."
    names = sorted(entry.name for entry in path.parent.iterdir() if extension_of(entry) in ENDINGS)
    return f"Data files in that folder: {', '.join(names[:10])}." if names else None


def unusable(path: Path, message: str, code: str, hint: str | None) -> DataError:
    """Return the error that the file at `path` can't be used."""
    return DataError(message, code=code, hint=hint, file=shown_path(path))
