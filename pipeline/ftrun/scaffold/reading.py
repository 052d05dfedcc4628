"""What a source must say so that its file is read: format, separator, line of the header, key of the rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ftrun.data.diagnostics.findings import FilePlace, Findings
from ftrun.data.readers.csv_rows import below, refuse_unclear
from ftrun.data.readers.encodings import text_lines
from ftrun.data.readers.exports.recognising import SERVICES, export_in
from ftrun.data.readers.json_rows import StrictDecoder
from ftrun.data.readers.looking.content import TITLES, format_of
from ftrun.data.readers.looking.json_objects import is_row, row_lists
from ftrun.data.readers.looking.tables import SEPARATORS, first_lines, look_at
from ftrun.data.readers.rows import USUAL
from ftrun.data.readers.sources import ENDINGS, TEXT, extension_of
from ftrun.data.readers.workbook import title_above

DAYS = "[0-9]*.json"  # what Slack names after the day
Keys = Mapping[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The format of a file, the keys of the source that say how it is read, and sentences about them."""

    format: str
    keys: Keys = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def reading_of(
    path: Path, form: str, encoding: str | None, sheet: str | None, asked: Keys, place: FilePlace
) -> Reading:
    """Return how to read a file whose name, or content, says `form`.

    UnusableFileError, with the problem added to `place`, if its separator is unclear.
    """
    named = ENDINGS.get(extension_of(path))
    content = format_of(path, encoding) if form in TEXT else None
    if content is not None and not (content == "csv" and named == "tsv"):
        form = content
    keys: dict[str, str | int] = {}
    remarks: list[str] = []
    if form == "json":
        form, keys = _json_keys(path, encoding, asked)
    if form in ("csv", "tsv"):
        keys, names = _table_keys(path, form, encoding, asked, place)
        if names and not names[0].strip() and any(names):
            remarks.append("The first column has no name and numbers the rows, so it is not used.")
    elif form == "xlsx":
        row = asked.get("header_row") or title_above(path, sheet)
        keys = {"header_row": row} if row else {}
    if form != named:
        keys = {"format": form, **keys}
        what = f"a chat export of {SERVICES[form]}" if form in SERVICES else TITLES.get(form, form)
        remarks.append(f"The content is {what}, so the experiment says `format: {form}`.")
    remarks += _remarks(keys, asked)
    return Reading(format=form, keys=keys, remarks=tuple(remarks))


def day_files(path: Path) -> list[Path]:
    """Return the files of a folder that Slack exported, one for each day; none for anything else."""
    days = sorted(path.glob(DAYS)) if path.is_dir() else []
    exports = [_json_keys(day, None, {})[0] for day in days[:1]]
    return days if exports == ["slack"] else []


def _remarks(keys: Keys, asked: Keys) -> list[str]:
    """Return what was found by looking, without what the caller asked for."""
    found = []
    if "separator" in keys and "separator" not in asked:
        mark = "\t" if keys["separator"] == "tab" else str(keys["separator"])
        words = SEPARATORS.get(mark, mark)
        found.append(f"The columns are separated by {words}; the experiment says so (`separator`).")
    if "header_row" in keys and "header_row" not in asked:
        row = keys["header_row"]
        found.append(
            f"Line {row} has the column names, so what is above it is not read (`header_row: {row}`)."
        )
    if "records" in keys and "records" not in asked:
        found.append(f"The rows are those of the key `{keys['records']}` (`records`).")
    return found


def _json_keys(path: Path, encoding: str | None, asked: Keys) -> tuple[str, dict[str, str | int]]:
    """Return the format of a JSON file, which may be that of a chat export, and the key of its rows."""
    if "records" in asked:
        return "json", {"records": asked["records"]}
    text = "".join(text_lines(path, encoding, FilePlace(path.name, Findings())))
    try:
        value = StrictDecoder().decode(text)
    except (ValueError, json.JSONDecodeError):
        return "json", {}  # reading it says why
    if (export := export_in(value)) is not None:
        return export[0], {}
    lists = row_lists(value) if isinstance(value, dict) and not is_row(value) else {}
    return "json", {"records": next(iter(lists))} if len(lists) == 1 else {}


def _table_keys(
    path: Path, form: str, encoding: str | None, asked: Keys, place: FilePlace
) -> tuple[dict[str, str | int], list[str]]:
    """Return the keys that say how a table is read, and the names in its header."""
    given = str(asked["separator"]) if "separator" in asked else None
    mark = "\t" if given == "tab" else given
    lines = text_lines(path, encoding, FilePlace(path.name, Findings()))
    above, said, rest = below(lines, int(asked["header_row"]) if "header_row" in asked else None)
    sample, whole = first_lines(rest)
    fixed = mark or said
    usual = USUAL[form] if extension_of(path) in ENDINGS else "\t"  # as which Excel saves text
    look = look_at(
        sample, fixed or usual, whole=whole, start=above + 1, fixed=fixed is not None, thorough=True
    )
    if look.unclear:
        refuse_unclear(look, place)
    keys: dict[str, str | int] = {}
    if given is not None or (said is None and look.separator != USUAL[form]):
        keys["separator"] = given or ("tab" if look.separator == "\t" else look.separator)
    if "header_row" in asked:
        keys["header_row"] = asked["header_row"]
    elif look.titled:
        keys["header_row"] = look.header
    header = next((record for line, record in look.records if line == look.header), None)
    return keys, header or []
