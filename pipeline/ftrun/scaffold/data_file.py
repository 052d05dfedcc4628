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
from ftrun.data.readers.encodings import encoding_candidates, first_lines
from ftrun.data.readers.gzip_files import read_problems
from ftrun.data.readers.looking.content import format_of
from ftrun.data.readers.rows import numbered
from ftrun.data.readers.sources import ENDINGS, OTHER_TABLES, TEXT, SourceFile, extension_of
from ftrun.encoding_detection import known_encoding
from ftrun.errors import DataError
from ftrun.experiment.model import Source
from ftrun.experiment.places import shown_path
from ftrun.scaffold.reading import Reading as SourceReading
from ftrun.scaffold.reading import day_files, reading_of
from ftrun.scaffold.row_shapes import Reading, read_shapes, refusal
from ftrun.scaffold.unclear import UnclearError, Way

LARGEST = 512_000_000  # bytes; what a provider takes


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A data file and its rows.

    `source_keys` are what else the source must say, and `remarks` say so. `encoding` is None for UTF-8 or a
    byte order mark. `lines` are those of the rows, none if rows were left out. `chat` says that the rows are
    chats, `reading` how they were converted and which of them were left out.
    """

    path: Path
    format: str
    encoding: str | None
    sheet: str | None
    query: str | None
    source_keys: Mapping[str, str | int]
    remarks: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    lines: tuple[int, ...]
    chat: bool
    reading: Reading


def read_data_file(
    path: Path,
    *,
    encoding: str | None = None,
    sheet: str | None = None,
    query: str | None = None,
    asked: Mapping[str, str | int] | None = None,
) -> DataFile:
    """Read the file at `path`; DataError has everything that keeps it from being rows.

    `encoding` is what a person says it is in; UnclearError if nobody does and it is not sure. `sheet` names
    the sheet of a workbook; `query` is what to ask an SQLite file; `asked` are other keys of the source that
    the caller knows.
    """
    days = day_files(path)
    form, findings = _format(days[0] if days else path), Findings()
    place = FilePlace(shown_path(path), findings)
    numbers: tuple[int, ...] = ()
    rows: tuple[dict[str, Any], ...] = ()
    how = SourceReading(format=form)
    with contextlib.suppress(UnusableFileError), read_problems(place):  # the findings say why
        first = days[0] if days else path
        if form in TEXT:
            encoding = _encoding(first, encoding)
        elif encoding is not None:
            hint = "Leave out --encoding: only text files have one."
            raise unusable(path, f"--encoding {encoding}: this is not a text file", "source_key", hint)
        how = reading_of(first, form, encoding, sheet, asked or {}, place)
        form = how.format
        keys: dict[str, Any] = {"encoding": encoding, "sheet": sheet, "query": query, **how.keys}
        keys["format"] = None
        source = Source(path=path.name, base=path.parent, key=(), **keys)
        files = [SourceFile(path=one, source=source, role="data", format=form) for one in days or [path]]
        found = [row for file in files for row in numbered(file, place, needed=frozenset())]
        numbers, rows = tuple(line for line, _ in found), tuple(values for _, values in found)
    findings.raise_errors()
    if not rows:
        raise unusable(path, "there are no rows", "empty_file", "Add a line of column names, and rows.")
    if (refused := refusal(rows)) is not None:
        raise unusable(path, refused[0], "other_shape", refused[1])
    reading = read_shapes(rows)
    whole = len(reading.rows) == len(rows)
    rows = reading.rows
    columns = tuple(dict.fromkeys(str(name) for row in rows for name in row))
    return DataFile(
        path=path,
        format=form,
        encoding=encoding,
        sheet=sheet,
        query=query,
        source_keys=how.keys,
        remarks=how.remarks,
        columns=columns,
        rows=rows,
        lines=numbers if whole else (),
        chat=isinstance(rows[0].get("messages"), list),
        reading=reading,
    )


def _encoding(path: Path, asked: str | None) -> str | None:
    """Return what the source must say; UnclearError with the candidates if that is not sure."""
    if asked is not None:
        name = known_encoding(asked)
        if name is None:
            raise unusable(
                path, f"--encoding {asked}: unknown", "unknown_encoding", CODES["unknown_encoding"].fix
            )
        return None if name == "utf-8" else asked
    candidates = encoding_candidates(path)
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    ways = []
    for name in candidates:
        shown = first_lines(path, name)
        ways.append(Way(options=("--encoding", name), shown=(f"{name}:", *(f"  {line}" for line in shown))))
    raise UnclearError.of(
        path,
        f"the file is not UTF-8, and its encoding is not sure: {', '.join(candidates)}",
        "encoding",
        ways,
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
