"""Owns the files that answers are kept in: answers.jsonl as users read it, and every answer ever paid for.

`answers.jsonl` holds what the current questions and rivals call for, whole and in order.
`answers.cache.jsonl` grows by a durable line per answer, so that a crash, a rerun, or a question that was
taken out and put back asks nothing again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ftrun.evaluation.answers import Record
from ftrun.files import named_errors, sync_folder, write_atomic
from ftrun.secrecy import hide

ANSWERS, CACHE = "answers.jsonl", "answers.cache.jsonl"


class AnswerCache:
    """The answers kept in one run's folder, by cache key. One writer at a time (the run's lock)."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / CACHE
        self.records: dict[str, Record] = {}
        # every model's own answers are kept with it: they come back in a fresh clone too
        for path in (*sorted(folder.glob(f"history/*/{ANSWERS}")), folder / ANSWERS, self._path):
            self.records.update((record.cache_key, record) for record in read_records(path))

    def append(self, record: Record) -> None:
        """Add a record durably: when this returns it survives a power cut."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        created = not self._path.exists()
        with named_errors(self._path), self._path.open("ab+") as file:
            # a line torn by a crash must not swallow the next one
            gap = b"\n" if _ends_torn(self._path) else b""
            file.write(gap + _line(record))
            file.flush()
            os.fsync(file.fileno())
        if created:
            sync_folder(self._path.parent)
        self.records[record.cache_key] = record


def read_records(path: Path) -> tuple[Record, ...]:
    """Return the records of a file; a line that is torn or foreign is left out, as if never answered."""
    if not path.exists():
        return ()
    return tuple(_readable(path.read_bytes().split(b"\n")))


def write_records(folder: Path, records: Sequence[Record]) -> Path:
    """Write answers.jsonl, whole or not at all, and return its path."""
    path = folder / ANSWERS
    write_atomic(path, b"".join(map(_line, records)))
    return path


def _line(record: Record) -> bytes:
    return hide(json.dumps(record.as_dict(), ensure_ascii=False)).encode() + b"\n"


def _readable(lines: list[bytes]) -> Iterator[Record]:
    for line in lines:
        try:
            yield Record.from_dict(json.loads(line))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue  # asked again: that costs a fraction of a cent, a wrong answer costs the verdict


def _ends_torn(path: Path) -> bool:
    size = path.stat().st_size
    if size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
