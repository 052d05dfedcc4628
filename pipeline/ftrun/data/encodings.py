"""Owns text encodings: a byte mark is believed, all else is UTF-8 or as told, and nothing is replaced."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from ftrun.data.place import FilePlace, UnusableFileError

MARKS = (  # the longer ones first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ESCAPES = frozenset(
    ("idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7")
)
NOT_TEXT = (
    (b"PK\x03\x04", "an Excel workbook or another zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip file"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3", "an SQLite database"),
)
CHUNK = 1 << 20
SAMPLE = 1 << 16


def text_lines(path: Path, encoding: str | None, place: FilePlace) -> Iterator[str]:
    """Yield the lines of a text file with their line ends (\\n, \\r\\n or \\r), without its byte mark.

    UnusableFileError, with the problem at its line, if the bytes are not that encoding (None: UTF-8).
    """
    try:
        with path.open("rb") as raw:
            name = _encoding(raw.read(64), encoding, place)
            raw.seek(0)
            # newline="": line ends inside a quoted value stay what they are
            with io.TextIOWrapper(raw, encoding=name, errors="strict", newline="") as text:
                yield from _checked(text, encoding, path, place)
    except UnicodeError as error:
        _report_wrong(path, name, place)
        raise UnusableFileError from error
    except OSError as error:
        place.add("unreadable", f"the file can't be read: {error.strerror or error}", 1)
        raise UnusableFileError from error


def _checked(text: Iterator[str], encoding: str | None, path: Path, place: FilePlace) -> Iterator[str]:
    for number, line in enumerate(text, 1):
        if number == 1:
            line = line.removeprefix("\ufeff")  # utf-16-le and its like leave the mark in
        if "\0" in line:
            hint = _guess_hint(path, 0) if encoding is None else None
            place.add("encoding" if hint else "nul_byte", "the line has NUL characters", number, hint=hint)
            raise UnusableFileError
        yield line


def _encoding(head: bytes, asked: str | None, place: FilePlace) -> str:
    """Return the encoding to read with: that of the byte mark, the one asked for, or UTF-8."""
    for mark, kind in NOT_TEXT:
        if head.startswith(mark):
            place.add("not_text", f"this is {kind}, not text", 1)
            raise UnusableFileError
    marked = next((name for mark, name in MARKS if head.startswith(mark)), None)
    if asked is None:
        return marked or "utf-8"
    name = known_encoding(asked) or asked
    if marked is None:
        return name
    if not name.startswith(marked.removesuffix("-sig")):
        message = (
            f"the file is marked as {marked.removesuffix('-sig')}, but the source says encoding {asked!r}"
        )
        place.add("encoding", message, 1, hint="Delete `encoding:` from the source.")
        raise UnusableFileError
    return marked


def known_encoding(asked: str) -> str | None:
    """Return Python's name of a text encoding, None if `asked` is none."""
    try:
        found = codecs.lookup(asked)
    except (LookupError, ValueError):
        return None
    # binary codecs such as base64 and escapes that can make half characters are no text encodings
    usable = getattr(found, "_is_text_encoding", True) and found.name not in ESCAPES
    return found.name if usable else None


def _report_wrong(path: Path, encoding: str, place: FilePlace) -> None:
    line, offset = _first_wrong(path, encoding)
    name = encoding.removesuffix("-sig")
    with path.open("rb") as raw:
        raw.seek(offset)
        byte = raw.read(1)
    message = f"this is not {name} text" + (
        f" (byte 0x{byte.hex()})" if byte else " (it ends in mid-character)"
    )
    place.add("encoding", message, line, hint=_guess_hint(path, offset, tried=name))


def _first_wrong(path: Path, encoding: str) -> tuple[int, int]:
    """Return line and byte offset of the first byte that `encoding` can't read."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line, read, ended_with_return = 1, 0, False
    with path.open("rb") as raw:
        while True:
            chunk = raw.read(CHUNK)
            read += len(chunk)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                good = error.object[: error.start].decode(encoding, "replace")
                return line + _breaks(good, ended_with_return), read - len(error.object) + error.start
            if not chunk:
                return line, read
            line += _breaks(text, ended_with_return)
            ended_with_return = text.endswith("\r")


def _breaks(text: str, after_return: bool) -> int:
    both = text.count("\r\n") + (after_return and text.startswith("\n"))
    return text.count("\n") + text.count("\r") - both


def _guess_hint(path: Path, offset: int, tried: str = "utf-8") -> str | None:
    with path.open("rb") as raw:
        raw.seek(max(0, offset - SAMPLE))
        before = raw.read(min(offset, SAMPLE))
        start = before.rfind(b"\n") + 1
        sample = before[start:] + raw.read(SAMPLE)
        if b"\0" in sample:  # two bytes a character: count them from the file's start
            raw.seek(0)
            sample = raw.read(SAMPLE)
    guess = guess_encoding(sample)
    if guess is None or guess == tried:
        return None
    return f"It looks like {guess}: add `encoding: {guess}` to the source, or save the file as UTF-8."


def guess_encoding(sample: bytes) -> str | None:
    """Return the likely encoding of bytes that begin at a line's start and are not UTF-8, None if unsure."""
    if b"\0" in sample:
        odd, even = sample[1::2].count(0), sample[0::2].count(0)
        name = "utf-16-le" if odd > even else "utf-16-be"
        likely = max(odd, even) > max(1, 8 * min(odd, even), len(sample) // 200)
        return name if likely and _score(sample, name) is not None else None
    scores = {name: _score(sample, name) for name in ("cp932", "euc_jp", "utf-8")}
    readable = {name: score for name, score in scores.items() if score is not None}
    if readable:
        return max(readable, key=lambda name: readable[name])
    return "cp1252" if _score(sample, "cp1252") is not None else None


def _score(sample: bytes, encoding: str) -> float | None:
    """Return the share of `sample`'s non-ASCII characters that everyday text has; None if undecodable."""
    try:
        text = codecs.getincrementaldecoder(encoding)("strict").decode(sample)
    except UnicodeDecodeError:
        return None
    foreign = [character for character in text if character > "\x7f"]
    # half-width kana are what EUC-JP turns into when read as cp932
    everyday = sum("\u3000" <= character < "\uff61" or character > "\uff9f" for character in foreign)
    return everyday / len(foreign) if foreign else 1.0
