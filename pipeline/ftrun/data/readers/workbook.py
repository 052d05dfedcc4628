"""Reading a sheet of an Excel workbook: the first row with cells names the columns.

The line of a row is its number in the sheet. Cells give their values, not how they are formatted; what
is hidden, by a filter for instance, is read like the rest.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.etree import ElementTree

from ftrun.data.diagnostics.findings import FilePlace, Findings, UnusableFileError
from ftrun.data.readers.cells import Needed, Numbered, ValueFault, plain, require

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

Cells = Sequence[Any]  # of openpyxl: cells with `value` and `data_type`
BATCH = 500  # rows
MOST_TITLES = 10  # rows above the one with the column names
MOST_TIMES = 200  # what is unpacked, in file sizes
ALWAYS_ALLOWED = 256_000_000  # bytes unpacked, whatever the ratio
NAME_FIX = "Give the column a name in the row of the column names, or delete its cells."
ESCAPED = re.compile("_x(00[01][0-9A-Fa-f]|005[Ff])_")  # how Excel writes control characters, and its own _
OLD = b"\xd0\xcf\x11\xe0"  # of .xls, and of a workbook with a password

CHUNK = 1 << 20
MARKS = (b"<f", b":f>", b"mergeCell")
CELL = re.compile(r"([A-Z]+)([0-9]+)")


def read_workbook(
    path: Path, sheet: str | None, place: FilePlace, needed: Needed = None, *, header_row: int | None = None
) -> Iterator[Numbered]:
    """Yield (sheet row, row) of every row of `sheet`; None: of the only sheet that shows something.

    `header_row` is the row with the column names; None: the first one with cells.
    What is wrong in columns that are not `needed` stops nothing.
    """
    require("openpyxl", "Excel", place)
    with path.open("rb") as raw:
        with _workbook_problems(place):
            book = _loaded(raw, path.stat().st_size, place)
        with closing(book):
            with _workbook_problems(place):
                name = _chosen(book, sheet, place)
            first = header_row or 1
            letters = None
            if needed is not None:
                letters = _letters(_batches(book, name, place), needed, place, first)
            with _workbook_problems(place):
                _add_cell_problems(raw, book[name]._worksheet_path, place, letters, above=header_row)
            yield from _rows(_batches(book, name, place), place, needed, first)


@contextmanager
def _workbook_problems(place: FilePlace) -> Iterator[None]:
    """Turn what the library stumbles over into a problem; its warnings about styles are ignored."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnusableFileError:
        raise
    except Exception as error:  # a broken file makes it raise anything
        words = str(error) or type(error).__name__
        place.add("damaged", f"this is not a readable Excel workbook: {words[:200]}", 1)
        raise UnusableFileError from error


def _loaded(raw: IO[bytes], size: int, place: FilePlace) -> Workbook:
    if raw.read(4) == OLD:
        hint = "Open it in Excel and save it as .xlsx, without a password."
        place.add("damaged", "this is an old workbook (.xls), or one with a password", 1, hint=hint)
        raise UnusableFileError
    with zipfile.ZipFile(raw) as archive:
        unpacked = sum(one.file_size for one in archive.infolist())
    if unpacked > max(ALWAYS_ALLOWED, MOST_TIMES * size):
        place.add("damaged", f"the workbook unpacks to {unpacked:,} bytes, far more than its size", 1)
        raise UnusableFileError
    import openpyxl

    return openpyxl.load_workbook(raw, read_only=True, data_only=True)


def _chosen(book: Workbook, sheet: str | None, place: FilePlace) -> str:
    names = [str(one.title) for one in book.worksheets]
    if sheet is not None:
        if sheet not in names:
            message = f"there is no sheet {sheet!r}; the workbook has: {', '.join(names)}"
            place.add("sheet", message, None, once=True)
            raise UnusableFileError
        return sheet
    shown = [str(one.title) for one in book.worksheets if one.sheet_state == "visible" and _has_cells(one)]
    if len(shown) > 1:
        place.add("sheet", f"several sheets have cells: {', '.join(shown)}", None, once=True)
        raise UnusableFileError
    if not shown:
        place.add("empty_file", "no sheet shows a cell", 1)
        raise UnusableFileError
    return shown[0]


def _has_cells(sheet: Any) -> bool:
    sheet.reset_dimensions()  # what the file says of its size can be wrong
    return any(cell.value is not None for row in sheet.iter_rows() for cell in row)


def _batches(book: Workbook, name: str, place: FilePlace) -> Iterator[Cells]:
    sheet = book[name]
    sheet.reset_dimensions()
    rows = sheet.iter_rows()
    while True:
        with _workbook_problems(place):
            batch = list(itertools.islice(rows, BATCH))
        if not batch:
            return
        yield from batch


def _letters(
    sheet_rows: Iterator[Cells], needed: frozenset[str], place: FilePlace, first: int
) -> frozenset[str]:
    """Return the letters of the columns whose names are `needed`."""
    from openpyxl.utils import get_column_letter

    for number, cells in enumerate(sheet_rows, 1):
        if number >= first and any(cell.value is not None for cell in cells):
            names = enumerate(_header(cells, number, place), 1)
            return frozenset(get_column_letter(index) for index, name in names if name in needed)
    return frozenset()


def _rows(sheet_rows: Iterator[Cells], place: FilePlace, needed: Needed, first: int) -> Iterator[Numbered]:
    header: list[str | None] | None = None
    known: bool | None = None  # whether the header was held against a row
    for number, cells in enumerate(sheet_rows, 1):
        if number < first or all(cell.value is None for cell in cells):
            continue
        if header is None:
            header = _header(cells, number, place)
            continue
        if known is None:
            known = _refuse_title(header, cells, number, place)
        values = _values(header, cells, number, place, needed)
        if values is not None:
            yield number, values
    if header is None:
        place.add("empty_file", "the sheet is empty", 1)
        raise UnusableFileError


def _header(cells: Cells, number: int, place: FilePlace) -> list[str | None]:
    names = [None if cell.value is None else _text(cell.value).strip() or None for cell in cells]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        place.add("header", f"the column name {name!r} occurs {names.count(name)} times", number)
        raise UnusableFileError
    return names


def _refuse_title(header: Sequence[str | None], cells: Cells, number: int, place: FilePlace) -> bool:
    """Raise UnusableFileError if the header has one name but the first row several values: it is a title."""
    names = [name for name in header if name is not None]
    filled = sum(cell.value is not None for cell in cells)
    if len(names) == 1 < filled:
        words = f"the first row with cells has only “{names[0][:40]}”, but row {number} has {filled} cells"
        hint = (
            f"If it is a title, and row {number} has the names: `header_row: {number}` on the source (for "
            f"`ftrun init`: --header-row {number})."
        )
        place.add("header", words, number, hint=hint)
        raise UnusableFileError
    return True


def title_above(path: Path, sheet: str | None) -> int | None:
    """Return the row with the column names if there is a title above it; None if not, or if it is unclear."""
    place = FilePlace(path.name, Findings())
    with contextlib.suppress(UnusableFileError), path.open("rb") as raw, _workbook_problems(place):
        require("openpyxl", "Excel", place)
        with closing(_loaded(raw, path.stat().st_size, place)) as book:
            rows = _batches(book, _chosen(book, sheet, place), place)
            titled = False
            for number, cells in enumerate(itertools.islice(rows, MOST_TITLES), 1):
                filled = sum(cell.value is not None for cell in cells)
                if filled > 1:
                    return number if titled else None
                titled = titled or filled == 1
    return None


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(plain(value))


def _values(
    header: Sequence[str | None], cells: Cells, number: int, place: FilePlace, needed: Needed
) -> dict[str, object] | None:
    """Return the row; None, with the problems added, if a needed cell has no column or no value to use."""
    row: dict[str, object] = {name: "" for name in header if name is not None}
    good = True
    for index, cell in enumerate(cells):
        name = header[index] if index < len(header) else None
        if cell.value is None or (name is None and _is_row_number(header, index, cell.value)):
            continue
        if name is None and needed is not None:
            words = f"the column {cell.column_letter} has cells, but no name above them, so it is not used"
            place.add("nameless_column", words, number, once=True)
            continue
        try:
            if name is None:
                words = f"the column {cell.column_letter} has cells, but no name above them"
                place.add("value", words, number, hint=NAME_FIX, once=True)
                good = False
                continue
            row[name] = _value(cell)
        except ValueFault as fault:
            if needed is None or name in needed:
                place.add("value", f"the cell {cell.coordinate} {fault}", number)
                good = False
    return row if good else None


def _is_row_number(header: Sequence[str | None], index: int, value: Any) -> bool:
    """Return whether a value is that of an index, which data frames write first and without a name."""
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return whole and not any(header[: index + 1])


def _value(cell: Any) -> Any:
    if cell.data_type == "e":
        raise ValueFault(f"shows the error {cell.value}")
    value = plain(cell.value)
    if isinstance(value, str) and "_x" in value:
        value = ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)
    # a workbook has no whole numbers: its 1 is 1.0
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _add_cell_problems(
    workbook: IO[bytes],
    part: str,
    place: FilePlace,
    columns: frozenset[str] | None = None,
    *,
    above: int | None = None,
) -> None:
    """Add a problem for each merged range and each formula without a value, which openpyxl does not report.

    Only in `columns`, by their letters (None: in all), and from the row `above` on.
    """
    with zipfile.ZipFile(workbook) as archive:
        name = part.lstrip("/")
        with archive.open(name) as xml:
            if not _has_marks(xml):
                return
        with archive.open(name) as xml:
            for _, element in ElementTree.iterparse(xml):  # noqa: S314 - expat bounds entities by itself
                _add_cell_problem(element, place, columns, above or 1)


def _has_marks(xml: IO[bytes]) -> bool:
    before = b""
    while chunk := xml.read(CHUNK):
        if any(mark in before + chunk for mark in MARKS):
            return True
        before = chunk[-16:]
    return False


def _add_cell_problem(
    element: ElementTree.Element, place: FilePlace, columns: frozenset[str] | None, first: int
) -> None:
    where = element.get("r") if element.tag.endswith("}c") else element.get("ref")
    if (_row(where or "") or first) < first:
        return  # above the header: a title is often merged
    match element.tag.rpartition("}")[2]:
        case "c" if _lacks_value(element) and _touches(cell := element.get("r", "?"), columns):
            message = f"the cell {cell} has a formula, but the file does not hold its value"
            place.add("formula", message, _row(cell))
        case "mergeCell" if _touches(cells := element.get("ref", "?"), columns):
            place.add(
                "merged_cells", f"the cells {cells} are merged: only the first has a value", _row(cells)
            )
        case "row":
            element.clear()


def _lacks_value(cell: ElementTree.Element) -> bool:
    parts = {part.tag.rpartition("}")[2]: part for part in cell}
    if "f" not in parts:
        return False
    value = parts.get("v")
    # the value of a formula may be the empty text
    return value is None or (not value.text and cell.get("t") != "str")


def _touches(cells: str, columns: frozenset[str] | None) -> bool:
    """Return whether a cell or a range such as A2:C9 has to do with one of the columns."""
    ends = [(len(found[1]), found[1]) for found in CELL.finditer(cells)]
    return columns is None or not ends or any(ends[0] <= (len(one), one) <= ends[-1] for one in columns)


def _row(cell: str) -> int | None:
    found = CELL.match(cell)
    return int(found[2]) if found else None
