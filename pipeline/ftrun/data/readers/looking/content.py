"""Telling the format of a text file by its first part, whatever its name."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path

from ftrun.data.readers.exports.recognising import SERVICES, export_of_lines
from ftrun.data.readers.gzip_files import DAMAGED, BombError, open_data
from ftrun.data.readers.looking.tables import look_at

MARKDOWN = re.compile(r"\|?\s*:?-{3,}")  # below the header of a table
LOOK = 1 << 18  # bytes
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
TITLES = {"jsonl": "JSON lines", "json": "JSON", "csv": "a table", **SERVICES}


def format_of(path: Path, encoding: str | None = None) -> str | None:
    """Return the format of a text file (jsonl, json, csv, or a chat service's export), None if unclear."""
    try:
        with open_data(path) as raw:
            start = raw.read(LOOK)
            whole = not raw.read(1)
    except (OSError, BombError, *DAMAGED):
        return None
    mark = next((name for mark, name in MARKS if start.startswith(mark)), None)
    text = start.decode(mark or encoding or "utf-8", "replace").removeprefix("\ufeff")
    return None if "\0" in text else format_of_text(text, whole=whole)


def format_of_text(text: str, *, whole: bool) -> str | None:
    """Return the format of a file that begins with `text`; `whole`: it ends there, too."""
    lines = text.splitlines(keepends=True)
    lines = lines if whole else lines[:-1] or lines
    said = [line.strip() for line in lines if line.strip()]
    if not said:
        return None
    if export := export_of_lines(lines):
        return export
    if said[0].startswith("{"):
        return _of_objects(said)
    if said[0].startswith("["):
        return _of_arrays(said)
    if len(said) > 1 and MARKDOWN.match(said[1]):
        return None
    look = look_at(lines, ",", whole=whole, thorough=True)
    names = [name for name in (look.records[0][1] or []) if name.strip()] if look.records else []
    even = len(names) > 1 and len(look.records) > 1 and all(record for _, record in look.records)
    same = {len(record) for line, record in look.records if record and line >= look.header}
    return "csv" if look.titled or (even and len(same) == 1) else None


def _of_objects(said: list[str]) -> str:
    """Return json for one object, over several lines or with rows inside, else jsonl."""
    value = _value(said[0])
    if isinstance(value, dict) and len(said) == 1:
        return "json" if any(isinstance(one, list | dict) for one in value.values()) else "jsonl"
    if value is not None or sum(line.startswith("{") for line in said) == len(said):
        return "jsonl"
    return "json" if said[0] == "{" or _value("".join(said)) is not None else _broken(said)


def _broken(said: list[str]) -> str:
    objects = sum(line.startswith("{") and line.rstrip(",").endswith("}") for line in said)
    return "jsonl" if 2 * objects > len(said) else "json"


def _of_arrays(said: list[str]) -> str | None:
    if _value(said[0]) is not None:
        return "jsonl" if len(said) > 1 and said[1].startswith("[") else "json"
    return "json" if said[0] == "[" or said[0][1:].lstrip()[:1] in ("{", "[", '"', "'", "“") else None


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
