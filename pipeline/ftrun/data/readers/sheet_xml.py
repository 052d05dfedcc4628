"""What openpyxl does not tell of a sheet that it streams: merged cells, formulas without a value."""

from __future__ import annotations

import re
import zipfile
from typing import IO
from xml.etree import ElementTree

from ftrun.data.diagnostics.place import FilePlace

CHUNK = 1 << 20
WORTH_A_LOOK = (b"<f", b":f>", b"mergeCell")
CELL = re.compile(r"([A-Z]+)([0-9]+)")


def look_over(
    workbook: IO[bytes], part: str, place: FilePlace, columns: frozenset[str] | None = None
) -> None:
    """Add a problem for each merged range and each formula without a value in a sheet's part of the file.

    Only in `columns`, by their letters; None: in all.
    """
    with zipfile.ZipFile(workbook) as archive:
        name = part.lstrip("/")
        with archive.open(name) as xml:
            if not _is_worth_a_look(xml):
                return
        with archive.open(name) as xml:
            for _, element in ElementTree.iterparse(xml):  # noqa: S314 - expat bounds entities by itself
                _look_at(element, place, columns)


def _is_worth_a_look(xml: IO[bytes]) -> bool:
    before = b""
    while chunk := xml.read(CHUNK):
        if any(mark in before + chunk for mark in WORTH_A_LOOK):
            return True
        before = chunk[-16:]
    return False


def _look_at(element: ElementTree.Element, place: FilePlace, columns: frozenset[str] | None) -> None:
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
