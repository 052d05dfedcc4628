"""Text encodings: a byte order mark is trusted, UTF-8 or a sure find is read, anything else must be named.

Nothing is replaced: a byte that the encoding does not have is an error at its line.
"""

from __future__ import annotations

import codecs
import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

from ftrun.data.diagnostics.findings import FilePlace, UnusableFileError
from ftrun.data.readers.gzip_files import open_data, read_problems
from ftrun.data.readers.plausibility import readings, stays_plausible, sure_reading
from ftrun.encoding_detection import (
    ESCAPED,
    MARKS,
    NOT_TEXT,
    agrees,
    known_encoding,
    likely_encoding,
    other_encoding,
    sure_encoding,
)

JAPANESE = ("cp932", "euc_jp")  # sure only where `sure_encoding` says so
MOST_CANDIDATES = 4
MOST_SHOWN = 90  # characters of a line
FEWEST_UTF8 = 3  # characters of a line
CHUNK = 1 << 16  # decodes twice as fast as a megabyte at a time
SAMPLE = 1 << 16


def text_lines(path: Path, encoding: str | None, place: FilePlace) -> Iterator[str]:
    """Yield the lines of a text file with their line ends (\\n, \\r\\n or \\r), without its byte order mark.

    None finds the encoding, with a note unless it is UTF-8. UnusableFileError, with the problem at its
    line, if the bytes are not that encoding, or if it is not certain.
    """
    with read_problems(place):
        name = "utf-8"
        try:
            name, plain = _encoding(path, encoding, place)
            # newline="": line ends inside a quoted value stay what they are
            with open_data(path) as raw, io.TextIOWrapper(raw, name, "strict", newline="") as text:
                yield from text if plain else _checked(text, path, encoding, place)
        except UnicodeError as error:
            _report_wrong(path, name, place)
            raise UnusableFileError from error


def _checked(text: Iterator[str], path: Path, encoding: str | None, place: FilePlace) -> Iterator[str]:
    for number, line in enumerate(text, 1):
        if number == 1:
            line = line.removeprefix("\ufeff")  # utf-16-le and its like leave the mark in
        if "\0" in line:
            hint = _hint(path, 0) if encoding is None else None
            place.add("encoding" if hint else "nul_byte", "the line has NUL characters", number, hint=hint)
            raise UnusableFileError
        yield line


def _encoding(path: Path, asked: str | None, place: FilePlace) -> tuple[str, bool]:
    """Return the encoding to read with, and whether the whole file is UTF-8 without a mark or a NUL.

    It is that of the byte order mark, the one asked for, or the one found.
    """
    with open_data(path) as raw:
        head = raw.read(64)
    for mark, kind in NOT_TEXT:
        if head.startswith(mark):
            place.add("not_text", f"this is {kind}, not text", 1)
            raise UnusableFileError
    marked = next((name for mark, name in MARKS if head.startswith(mark)), None)
    if asked is None:
        return (marked, False) if marked else _found(path, place)
    name = known_encoding(asked) or asked
    if marked is None and name in ("utf-16", "utf-32"):
        hint = _hint(path, 0) or f"Name the byte order: `encoding: {name}-le` or `{name}-be`."
        place.add("encoding", f"the file has no {name} byte order mark", 1, hint=hint)
        raise UnusableFileError
    if marked is None:
        return name, False
    if not name.startswith(marked.removesuffix("-sig")):
        words = f"the file is marked as {marked.removesuffix('-sig')}, but the source says encoding {asked!r}"
        place.add("encoding", words, 1, hint="Delete `encoding:` from the source.")
        raise UnusableFileError
    return marked, False


def _found(path: Path, place: FilePlace) -> tuple[str, bool]:
    """Return UTF-8, or another encoding if the whole file leaves no doubt of it; and whether it is plain."""
    start = _not_plain(path)
    if start is None:
        return "utf-8", True
    sample = _sample(path, start)
    if ESCAPED.search(sample):
        with open_data(path) as raw:
            line = 1 + raw.read(start).count(b"\n")
        words = "this is not UTF-8 text: it has escapes of ISO-2022-JP"
        place.add("encoding", words, line, hint=_hint(path, start))
        raise UnusableFileError
    name = _sure(sample)
    if name is None or not _agrees_to_the_end(path, name):
        return "utf-8", False
    place.add("encoding_found", f"read as {name}: it has no byte order mark and is not UTF-8", 1)
    return name, False


def encoding_candidates(path: Path) -> tuple[str, ...]:
    """Return what `encoding:` of a source may say, the likeliest first; nothing where it may be left out.

    It is one alone if the whole file leaves no doubt of it.
    """
    with open_data(path) as raw:
        head = raw.read(64)
    if any(head.startswith(mark) for mark, _ in MARKS):
        return ()
    start = _not_plain(path)
    if start is None:
        return ()
    sample = _sample(path, start)
    name = _sure(sample)
    if name is not None and _agrees_to_the_end(path, name):
        return (name,)
    return tuple(one for one in _likely(sample) if one != "utf-8")


def first_lines(path: Path, encoding: str, most: int = 3) -> list[str]:
    """Return the first lines that are not plain ASCII as `encoding` reads them, cut where they are long."""
    with open_data(path) as raw:
        text = raw.read(SAMPLE).decode(encoding, "replace")
    lines = [line for line in text.splitlines() if not line.isascii()] or text.splitlines()
    return [line[:MOST_SHOWN] for line in lines[:most]]


def _sure(sample: bytes) -> str | None:
    """Return the encoding of bytes that are not UTF-8 if they can be in no other, else None."""
    name = sure_encoding(sample)
    if name is not None or b"\0" in sample or ESCAPED.search(sample) or _is_partly_utf8(sample):
        return name
    name = sure_reading(sample)
    return None if name in JAPANESE else name


def _likely(sample: bytes) -> list[str]:
    """Return the encodings that bytes may be in, the likeliest first."""
    likely = likely_encoding(sample)
    joined = likely is None and other_encoding(sample) is not None
    if joined or likely in ("iso2022_jp", "utf-8") or b"\0" in sample or _is_mostly_utf8(sample):
        return [likely] if likely else []
    found = [one.encoding for one in readings(sample)]
    if likely is not None:
        found.insert(1 if found and found[0] != likely else 0, likely)
    return list(dict.fromkeys(found))[:MOST_CANDIDATES]


def _is_partly_utf8(sample: bytes) -> bool:
    """Return whether a line is UTF-8 with so many characters that they can't be there by chance."""
    for line in sample.splitlines():
        with contextlib.suppress(UnicodeDecodeError):
            if sum(one >= "\x80" for one in line.decode()) >= FEWEST_UTF8:
                return True
    return _is_mostly_utf8(sample)


def _is_mostly_utf8(sample: bytes) -> bool:
    """Return whether most of what is beyond ASCII is UTF-8: the rest is damage, or another file."""
    text = sample.decode("utf-8", "surrogateescape")
    beyond = [one for one in text if one >= "\x80"]
    wrong = sum("\udc80" <= one <= "\udcff" for one in beyond)
    return len(beyond) > 2 * wrong


def _not_plain(path: Path) -> int | None:
    """Return the offset of the first byte that is not UTF-8, is NUL or begins an escape; None without one."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    offset = 0
    with open_data(path) as raw:
        while True:
            chunk = raw.read(CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return max(0, offset + error.start - len(error.object) + len(chunk))
            if b"\0" in chunk or b"\x1b" in chunk:  # one byte is found much faster than two
                for unusual in (b"\0", b"\x1b$"):
                    if unusual in chunk:
                        return offset + chunk.index(unusual)
            if not chunk:
                return None
            offset += len(chunk)


def _sample(path: Path, offset: int) -> bytes:
    """Return the bytes around `offset`, from the start of its line on."""
    with open_data(path) as raw:
        raw.seek(max(0, offset - SAMPLE))
        before = raw.read(min(offset, SAMPLE))
        sample = before[before.rfind(b"\n") + 1 :] + raw.read(SAMPLE)
        if b"\0" in sample:  # two bytes a character: count them from the file's start
            raw.seek(0)
            return raw.read(SAMPLE)
    return sample


def _agrees_to_the_end(path: Path, name: str) -> bool:
    if name.startswith("utf-16"):
        return True  # NULs at every other byte were the proof; reading is strict
    with open_data(path) as raw:
        while block := raw.read(SAMPLE):
            block += raw.readline()
            if not (agrees if name in JAPANESE else stays_plausible)(block, name):
                return False
    return True


def _report_wrong(path: Path, encoding: str, place: FilePlace) -> None:
    line, offset = _first_wrong(path, encoding)
    name = encoding.removesuffix("-sig")
    with open_data(path) as raw:
        raw.seek(offset)
        byte = raw.read(1)
    why = f"byte 0x{byte.hex()}" if byte else "it ends in mid-character"
    place.add("encoding", f"this is not {name} text ({why})", line, hint=_hint(path, offset, tried=name))


def _first_wrong(path: Path, encoding: str) -> tuple[int, int]:
    """Return line and byte offset of the first byte that `encoding` can't read."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line, read, ended_with_return = 1, 0, False
    with open_data(path) as raw:
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


def _hint(path: Path, offset: int, tried: str = "utf-8") -> str | None:
    sample = _sample(path, offset)
    candidates = _likely(sample)
    if not candidates and tried == "utf-8" and (other := other_encoding(sample)):
        return f"Some lines are UTF-8, others {other}: files were joined. Save each as UTF-8 before."
    if not candidates or candidates[0] == tried:
        return None
    likely, *others = candidates
    if likely == "utf-8" and _not_plain(path) is not None:
        return f"Up to here it is {tried}, from here on UTF-8: files were joined. Save each as UTF-8 before."
    hint = f"It looks like {likely}: set `encoding: {likely}` on the source, or save the file as UTF-8."
    return f"{hint} If that reads wrong, try {', '.join(others)}." if others else hint
