"""Owns the way from source files to rows: format, renamed columns, limits. Knows nothing of chats."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ftrun.data.encodings import text_lines
from ftrun.data.findings import Findings
from ftrun.data.json_rows import read_json, read_jsonl
from ftrun.data.marks import Mark, take_mark
from ftrun.data.place import FilePlace, UnusableFileError
from ftrun.data.sources import SourceFile, place_of
from ftrun.data.tables import read_table
from ftrun.experiment.model import Experiment


class Row(NamedTuple):
    """One row and the line (from 1) at which it starts. `mark`: it was generated."""

    line: int
    values: Mapping[str, object]
    mark: Mark | None = None


def read_rows(
    experiment: Experiment, file: SourceFile, place: FilePlace, findings: Findings, limit: int | None
) -> Iterator[Row]:
    """Yield at most `limit` good rows of one file; what is wrong goes to `findings`."""
    try:
        for line, values in itertools.islice(_numbered(file, place), limit):
            renamed = _renamed(experiment, file, values, place, line, findings)
            if renamed is not None:
                yield Row(line, *take_mark(renamed))
    except UnusableFileError:
        return  # its problem has been added


def _numbered(file: SourceFile, place: FilePlace) -> Iterator[tuple[int, dict[str, object]]]:
    lines = text_lines(file.path, file.source.encoding, place)
    match file.format:
        case "csv":
            return read_table(lines, ",", place)
        case "tsv":
            return read_table(lines, "\t", place)
        case "jsonl":
            return read_jsonl(lines, place)
        case _:
            return read_json(lines, place)


def _renamed(
    experiment: Experiment,
    file: SourceFile,
    values: dict[str, object],
    place: FilePlace,
    line: int,
    findings: Findings,
) -> dict[str, object] | None:
    columns = file.source.columns
    if not columns:
        return values
    missing = [old for old in columns.values() if old not in values]
    for old in missing:
        new = next(new for new, one in columns.items() if one == old)
        where = place_of(experiment, *file.source.key, "columns", new)
        findings.add(
            "missing_column", _missing(old, place.name, values), hint=_near(old, values), once=True, **where
        )
    others = {name: value for name, value in values.items() if name not in columns.values()}
    clashes = [new for new in columns if new in others]
    for new in clashes:
        place.add(
            "column_clash", f"`columns` names {new!r} anew, but the file has such a column", line, once=True
        )
    if missing or clashes:
        return None
    return {**others, **{new: values[old] for new, old in columns.items()}}


def _missing(old: str, file: str, values: Mapping[str, object]) -> str:
    return f"{file} has no column {old!r}; it has: {', '.join(map(str, values))}"


def _near(name: str, values: Mapping[str, object]) -> str | None:
    import difflib  # only errors need it

    near = difflib.get_close_matches(name, list(values), n=1)
    return f"Did you mean {near[0]!r}?" if near else None
