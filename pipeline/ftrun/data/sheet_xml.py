"""Owns what openpyxl does not tell of a sheet that it streams: merged cells, formulas without a value."""

from __future__ import annotations

import re
import zipfile
from typing import IO
from xml.etree import ElementTree

from ftrun.data.place import FilePlace

CHUNK = 1 << 20
WORTH_A_LOOK = (b"<f", b":f>", b"mergeCell")
ROW = re.compile(r"[A-Z]+([0-9]+)")


def look_over(workbook: IO[bytes], part: str, place: FilePlace) -> None:
    """Add a problem for each merged range and each formula without a value in a sheet's part of the file."""
    with zipfile.ZipFile(workbook) as archive:
        name = part.lstrip("/")
        with archive.open(name) as xml:
            if not _is_worth_a_look(xml):
                return
        with archive.open(name) as xml:
            for _, element in ElementTree.iterparse(xml):  # noqa: S314 - expat bounds entities by itself
                _look_at(element, place)


def _is_worth_a_look(xml: IO[bytes]) -> bool:
    before = b""
    while chunk := xml.read(CHUNK):
        if any(mark in before + chunk for mark in WORTH_A_LOOK):
            return True
        before = chunk[-16:]
    return False


def _look_at(element: ElementTree.Element, place: FilePlace) -> None:
    match element.tag.rpartition("}")[2]:
        case "c" if _lacks_value(element):
            cell = element.get("r", "?")
            message = f"the cell {cell} has a formula, but the file does not hold its value"
            place.add("formula", message, _row(cell))
        case "mergeCell":
            cells = element.get("ref", "?")
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


def _row(cell: str) -> int | None:
    found = ROW.match(cell)
    return int(found[1]) if found else None
