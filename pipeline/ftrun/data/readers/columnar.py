"""Reading Parquet and Arrow files in batches, so that memory does not grow with the file.

The line of a row is its number in the file, from 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrun.data.diagnostics.findings import FilePlace, UnusableFileError
from ftrun.data.readers.cells import Needed, Numbered, ValueFault, plain, require, usable

if TYPE_CHECKING:
    from pyarrow import RecordBatch

ROWS = 1000  # converted at a time


def read_parquet(path: Path, place: FilePlace, needed: Needed = None) -> Iterator[Numbered]:
    """Yield (row number, row) of every row of a Parquet file."""
    require("pyarrow", "Parquet", place)
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with path.open("rb") as raw, closing(ParquetFile(raw)) as file:
            yield from numbered(
                file.schema_arrow.names, _rows(file.iter_batches(batch_size=ROWS)), place, needed
            )
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        _report(error, "a Parquet file", place)


def read_arrow(path: Path, place: FilePlace, needed: Needed = None) -> Iterator[Numbered]:
    """Yield (row number, row) of every row of an Arrow file, as streamed (datasets writes these) or not."""
    require("pyarrow", "Arrow", place)
    import pyarrow
    from pyarrow import ipc

    try:
        with path.open("rb") as raw:
            whole = raw.read(6) == b"ARROW1"
            raw.seek(0)
            with (ipc.open_file if whole else ipc.open_stream)(raw) as reader:
                stored = (
                    (reader.get_batch(at) for at in range(reader.num_record_batches)) if whole else reader
                )
                slices = (part for batch in stored for part in _slices(batch))
                yield from numbered(reader.schema.names, _rows(slices), place, needed)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        _report(error, "an Arrow file", place)


def numbered(
    names: Sequence[str], rows: Iterator[Sequence[Any]], place: FilePlace, needed: Needed = None
) -> Iterator[Numbered]:
    """Yield (number from 1, row) of typed values; what can't be in a row is added to `place`.

    UnusableFileError if two columns have one name.
    """
    if twice := sorted({name for name in names if list(names).count(name) > 1}):
        place.add("header", f"the column name {twice[0]!r} is duplicated", 1)
        raise UnusableFileError
    for number, values in enumerate(rows, 1):
        name = ""
        try:
            row = {}
            for name, value in zip(names, values, strict=True):
                row[name] = plain(value) if needed is None or name in needed else usable(value)
        except ValueFault as fault:
            place.add("value", f"the column {name!r} {fault}", number)
            continue
        yield number, row


def _slices(batch: RecordBatch) -> Iterator[RecordBatch]:
    for start in range(0, batch.num_rows, ROWS):
        yield batch.slice(start, ROWS)


def _rows(batches: Iterator[RecordBatch]) -> Iterator[Sequence[Any]]:
    for batch in batches:
        batch.validate(full=True)  # else a damaged offset reads foreign memory, or ends the process
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _report(error: Exception, kind: str, place: FilePlace) -> None:
    place.add("damaged", f"this is not {kind} that can be read: {str(error).splitlines()[0][:200]}", 1)
    raise UnusableFileError from error
