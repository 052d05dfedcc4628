"""Reads the rows of a query in a process that can be killed: nothing else stops a database while it computes.

A query may also give rows without end, so what it gives is bounded too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ftrun.data.diagnostics.findings import Findings
from ftrun.data.diagnostics.place import FilePlace, UnusableFileError
from ftrun.data.readers.cells import Needed
from ftrun.untrusted import CapError, Capped, CappedProcess

Numbered = tuple[int, dict[str, object]]
Reader = Callable[..., Iterator[Numbered]]
SECONDS = 10.0  # of the processor, until the first rows are there
SIZE_A_SECOND = 10_000_000  # bytes of a file that allow one second more
CREDIT = 0.1  # seconds that each portion of rows adds
PATIENCE = 600.0  # seconds to wait for a server's next rows
ROWS, VALUES, BYTES = 1000, 20_000, 4_000_000  # of a portion
ROW_BYTES = 100  # what a row counts for beside its texts
LARGEST = 2_000_000_000  # bytes that a server may give; what a file may give depends on its size
SMALLEST, TIMES = 100_000_000, 10


class Bounds(NamedTuple):
    """Seconds of the processor, and bytes of rows, that a query may take."""

    seconds: float = SECONDS
    size: int = LARGEST


def bounds_of(file_size: int) -> Bounds:
    """Return what a query of a file of so many bytes may take."""
    return Bounds(SECONDS + file_size / SIZE_A_SECOND, SMALLEST + TIMES * file_size)


def query(
    reader: Reader, *arguments: Any, place: FilePlace, needed: Needed, bounds: Bounds
) -> Iterator[Numbered]:
    """Yield what `reader(*arguments, place, needed)` yields in the other process.

    UnusableFileError, with the problem added, if it can't be read or takes more than `bounds`.
    """
    process = CappedProcess(bounds.seconds, PATIENCE, CREDIT)
    running = Capped(_Query, reader, arguments, place.name, needed, process=process)
    size = 0
    try:
        while True:
            portion: _Portion = running.call("more")
            place.merge(portion.findings)
            yield from portion.rows
            size += portion.size
            if portion.failed:
                raise UnusableFileError
            if not portion.rows:
                return
            if size > bounds.size:
                raise CapError(f"it gives more than {bounds.size:,} bytes of rows")
    except CapError as error:
        hint = "Write a query that takes less, or save its result as a file and read that."
        place.add("query", f"the query was stopped: {error}", None, hint=hint)
        raise UnusableFileError from error
    finally:
        process.end()


class _Portion(NamedTuple):
    """Some rows; none are left if it is empty. `failed`: the rest can't be read, the findings say why."""

    rows: list[Numbered]
    size: int
    findings: Findings
    failed: bool


class _Query:
    """A query that runs in this process."""

    def __init__(self, reader: Reader, arguments: tuple[Any, ...], name: str, needed: Needed) -> None:
        self._findings = Findings()
        self._rows = reader(*arguments, FilePlace(name, self._findings), needed)

    def more(self) -> _Portion:
        """Return the next rows."""
        rows: list[Numbered] = []
        size = values = 0
        failed = False
        try:
            for number, row in itertools.islice(self._rows, ROWS):
                rows.append((number, row))
                values += len(row)
                size += ROW_BYTES + sum(len(one) for one in row.values() if isinstance(one, str))
                if values > VALUES or size > BYTES:
                    break
        except UnusableFileError:
            failed = True
        return _Portion(rows, size, self._findings.drain(), failed)
