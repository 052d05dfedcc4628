"""Dividing a large text file into spans of whole records that can be read apart from one another.

Only where that is surely the same as reading the file from its start: UTF-8, JSON lines or tables whose
quotes are all where they belong. Anything else is an OddFileError, and one reader reads the file as a whole.
"""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from ftrun.data.diagnostics.findings import Findings
from ftrun.data.diagnostics.place import FilePlace, UnusableFileError
from ftrun.data.readers.csv_rows import LONGEST_VALUE, read_header, read_table
from ftrun.data.readers.encodings import MARKS, NOT_TEXT
from ftrun.data.readers.json_fast import LineReader, plain_object
from ftrun.data.readers.json_rows import StrictDecoder, decode_row
from ftrun.data.readers.sources import SourceFile
from ftrun.experiment.model import Source
from ftrun.protocol.chat import TrainingRow

SPAN = 1 << 18  # bytes, about: a worker holds twenty times as much while it works on a table's
LINES = 2  # such spans of JSON lines take no more, and what is warmed up for counting lasts longer
HEAD = 1 << 18  # bytes that are looked at before a file is divided
UTF8_MARK = b"\xef\xbb\xbf"
SEPARATORS = {"csv": ",", "tsv": "\t"}
# all quotes of a text open at the start of a value and close at its end, or are doubled within
TIDY = {
    name: re.compile(rb'(?:[^"]*+(?<![^"%b\r\n])"[^"]*+"(?![^"%b\r\n]))*+[^"]*+' % ((mark.encode(),) * 2))
    for name, mark in SEPARATORS.items()
}
DIVISIBLE = frozenset(("path", "base", "key", "format", "encoding", "columns", "weight"))


class Span(NamedTuple):
    """Whole records of a file: bytes from `start` to `end`; the first of them stands at `line`."""

    path: Path
    format: str
    start: int
    end: int
    line: int
    header: list[str] | None


# line, row, and what it is as a training row where that is known
Record = tuple[int, dict[str, object], TrainingRow | None]


class OddFileError(Exception):
    """The file can't be read in spans; `index` is its number among the files."""

    index: int = -1


def can_divide(file: SourceFile) -> bool:
    """Return whether a file may be read in spans, by its kind and its beginning."""
    defaults = Source(path="", base=Path(), key=())
    options = {one.name for one in dataclasses.fields(Source)} - DIVISIBLE
    if any(getattr(file.source, name) != getattr(defaults, name) for name in options):
        return False  # such as a limit, which counts rows
    if file.format not in (*SEPARATORS, "jsonl"):
        return False
    if file.source.encoding is not None and file.source.encoding.lower().replace("_", "-") != "utf-8":
        return False
    try:
        with file.path.open("rb") as raw:
            return _is_plain(raw.read(HEAD))
    except OSError:
        return False  # who reads it says so


def _is_plain(head: bytes) -> bool:
    marked = any(head.startswith(mark) for mark, _ in MARKS) and not head.startswith(UTF8_MARK)
    if marked or any(head.startswith(mark) for mark, _ in NOT_TEXT) or _is_unusual(head):
        return False
    end = head.rfind(b"\n")
    if end < 0 and len(head) >= HEAD:
        return False
    try:
        head[: end + 1].decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_unusual(block: bytes) -> bool:
    """Return whether bytes may be UTF-16 or ISO-2022-JP; one byte is found much faster than two."""
    return b"\0" in block or (b"\x1b" in block and b"\x1b$" in block)


def divide_file(file: SourceFile) -> Iterator[Span]:
    """Yield the spans of a file in order; OddFileError, perhaps after some spans, if that is not safe."""
    with file.path.open("rb") as raw:
        start = len(UTF8_MARK) if raw.read(len(UTF8_MARK)) == UTF8_MARK else 0
        raw.seek(start)
        header, line = None, 1
        if file.format in SEPARATORS:
            header, line, start = _below_header(raw, file.format, start)
        else:
            _look_at_first(raw)
        raw.seek(start)
        for block in _blocks(raw, file.format):
            yield Span(file.path, file.format, start, start + len(block), line, header)
            start += len(block)
            line += _breaks(block)


def _below_header(raw: IO[bytes], name: str, start: int) -> tuple[list[str], int, int]:
    """Return the header, and line and offset of what follows it."""
    lines = raw.read(HEAD).split(b"\n")[:-1]
    findings = Findings()
    text = io.StringIO("".join(f"{line.decode()}\n" for line in lines), newline="")
    try:
        header, read = read_header(text, SEPARATORS[name], FilePlace("", findings))
    except UnusableFileError as error:
        raise OddFileError from error
    if findings.failed:
        raise OddFileError
    text.seek(0)
    before = "".join(next(text) for _ in range(read)).encode()
    return header, read + 1, start + len(before)


def _look_at_first(raw: IO[bytes]) -> None:
    """Let a file whose first line is no object be judged as a whole."""
    for line in raw:
        if line.strip():
            if plain_object(line) is None:
                raise OddFileError
            return
    raise OddFileError


def _blocks(raw: IO[bytes], name: str) -> Iterator[bytes]:
    """Yield whole records, about SPAN bytes at a time, of JSON lines LINES times as many."""
    rest, size = b"", SPAN if name in SEPARATORS else LINES * SPAN
    while True:
        read = raw.read(size)
        block = rest + read
        end = len(block) if not read else _last_end(block, name)
        if end:
            if name in TIDY and not TIDY[name].fullmatch(block, 0, end):
                raise OddFileError
            yield block[:end]
        rest = block[end:]
        if not read:
            return
        if len(rest) > LONGEST_VALUE:
            raise OddFileError


def _last_end(block: bytes, name: str) -> int:
    """Return where the last whole record of a block ends, if quotes are tidy; 0 if there is none."""
    end = block.rfind(b"\n") + 1
    if name not in TIDY:
        return end
    quotes = block.count(b'"', 0, end)
    while end and quotes % 2:  # this line break is inside quotes
        earlier = block.rfind(b"\n", 0, end - 1) + 1
        quotes -= block.count(b'"', earlier, end)
        end = earlier
    return end


def _breaks(block: bytes) -> int:
    lines = len(block) - len(block.replace(b"\n", b""))  # five times as fast as to count them
    return lines + block.count(b"\r") - block.count(b"\r\n") if b"\r" in block else lines


def read_span(span: Span, place: FilePlace) -> Iterator[Record]:
    """Yield every good record of a span; OddFileError if the file must be read as a whole."""
    with span.path.open("rb") as raw:
        raw.seek(span.start)
        block = raw.read(span.end - span.start)
    if len(block) != span.end - span.start or _is_unusual(block):
        raise OddFileError
    if span.format in SEPARATORS:
        return ((line, row, None) for line, row in _read_table(block, span, place))
    return _read_lines(block, span.line, place)


def _read_table(block: bytes, span: Span, place: FilePlace) -> Iterator[tuple[int, dict[str, object]]]:
    try:
        text = io.StringIO(block.decode(), newline="")
    except UnicodeDecodeError as error:
        raise OddFileError from error
    return read_table(text, SEPARATORS[span.format], place, header=span.header, first_line=span.line)


def _read_lines(block: bytes, first: int, place: FilePlace) -> Iterator[Record]:
    if b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):
        raise OddFileError  # a return alone ends a line too
    decoder, reader = StrictDecoder(), LineReader()
    for number, line in enumerate(io.BytesIO(block), first):
        value, made = reader.read(line)
        if value is None:
            value = _strictly(decoder, line, number, place)
        if value is not None:
            yield number, value, made


def _strictly(decoder: StrictDecoder, line: bytes, number: int, place: FilePlace) -> dict[str, object] | None:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise OddFileError from error
    return decode_row(decoder, text, number, place) if text.strip() else None
