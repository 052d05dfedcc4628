"""The files that answers are kept in: answers.jsonl as users read it, and every answer ever paid for.

`answers.jsonl` holds the answers to the current questions, complete and in order.
`answers.cache.jsonl` gets a durable line per answer, so that nothing is asked twice after a crash, in a
rerun, or when a question was removed and added again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ftrun.evaluation.answers import Record
from ftrun.files import appended_durably, write_atomic
from ftrun.redaction import hide

ANSWERS, CACHE = "answers.jsonl", "answers.cache.jsonl"


class AnswerCache:
    """The answers kept in one run's folder, by cache key. One writer at a time (the run's lock)."""

    def __init__(self, folder: Path, present: Path | None = None) -> None:
        """Read all of them; of several answers to one request, those in the history folder `present` win."""
        self._path = folder / CACHE
        self.records: dict[str, Record] = {}
        # every model keeps its answers in the history, so a fresh clone has them too
        kept = sorted(folder.glob(f"history/*/{ANSWERS}"))
        for path in sorted(kept, key=lambda path: path.parent == present):
            self._add(
                reversed(read_records(path))
            )  # of two answers to one question the current one comes first
        for path in (folder / ANSWERS, self._path):
            self._add(read_records(path))

    def _add(self, records: Iterable[Record]) -> None:
        self.records.update((record.cache_key, record) for record in records)

    @contextmanager
    def open(self) -> Iterator[Callable[[Sequence[Record]], None]]:
        """Yield `append`, which keeps the file open between two calls."""
        with appended_durably(self._path) as write:

            def append(records: Sequence[Record]) -> None:
                write(b"".join(map(line_of, records)))
                self._add(records)

            yield append

    def append(self, records: Sequence[Record]) -> None:
        """Add records durably: when this returns they survive a power cut."""
        with self.open() as append:
            append(records)


def read_records(path: Path) -> tuple[Record, ...]:
    """Return the records of a file; a torn or foreign line is skipped, as if never answered."""
    return tuple(record for *_, record in read_lines(path) if record is not None)


def read_lines(path: Path) -> Iterator[tuple[int, bytes, Record | None]]:
    """Yield the lines of a file that aren't blank: number, bytes with the line break, record if it is one."""
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, line + b"\n", _record_of(line)


def write_records(folder: Path, records: Sequence[Record]) -> Path:
    """Write answers.jsonl, whole or not at all, and return its path."""
    path = folder / ANSWERS
    write_atomic(path, b"".join(map(line_of, records)))
    return path


def line_of(record: Record) -> bytes:
    """Return a record as a line of these files."""
    return hide(json.dumps(record.as_dict(), ensure_ascii=False)).encode() + b"\n"


def _record_of(line: bytes) -> Record | None:
    try:
        record = Record.from_dict(json.loads(line))
        if b"\\u" in line:
            line_of(record)  # a lone surrogate can't be written again
        return record
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None  # asked again: that costs a fraction of a cent, a wrong answer costs the verdict
