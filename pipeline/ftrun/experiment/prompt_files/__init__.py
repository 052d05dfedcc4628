"""Files of eval prompts (JSON Lines, a JSON list, CSV, TSV), read as if their entries were in the YAML file.

So schema and rules judge both alike, and every value has its place. Nothing is validated here but keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ftrun.encoding_detection import MARKS, NOT_TEXT, known_encoding, likely_encoding, sure_encoding
from ftrun.errors import Problem
from ftrun.experiment.nodes import Node
from ftrun.experiment.prompt_files.entries import EntryReader, UnusableError
from ftrun.experiment.prompt_files.json_entries import read_lines, read_list
from ftrun.experiment.prompt_files.tables import read_table

LARGEST = 20_000_000  # bytes
FORMATS: Mapping[str, Callable[[EntryReader], Iterator[Node]]] = {
    ".jsonl": read_lines,
    ".ndjson": read_lines,
    ".json": read_list,
    ".csv": read_table,
    ".tsv": read_table,
    ".tab": read_table,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFile:
    """What was read of a file: its text (for excerpts), its entries, and what is wrong with it."""

    text: str
    entries: tuple[Node, ...]
    problems: tuple[Problem, ...]


def read_prompts(path: Path, content: bytes, *, encoding: str | None = None) -> PromptFile:
    """Return the entries of a file of eval prompts, as far as they can be read, and its problems."""
    reader = EntryReader(path)
    entries = []
    try:
        reader.begin(_decode(reader, content, encoding))
        for entry in FORMATS[path.suffix.lower()](reader):
            entries.append(entry)  # one by one: those before an error are kept
        if not entries and not reader.problems:
            reader.add("the file has no questions", 0)
    except UnusableError:
        pass
    return PromptFile(text=reader.text, entries=tuple(entries), problems=tuple(reader.problems))


def _decode(reader: EntryReader, content: bytes, asked: str | None) -> str:
    """Return the text: a byte order mark is trusted, UTF-8 or a sure find is read, else `asked` names it."""
    kind = next((kind for mark, kind in NOT_TEXT if content.startswith(mark)), None)
    if kind is not None:
        reader.end(f"this is {kind}, not text", 0, hint="Save it as CSV or JSON Lines.", code="not_text")
    marked = next((name for mark, name in MARKS if content.startswith(mark)), None)
    name = marked or (known_encoding(asked) if asked else _found(content))
    if name is None:
        hint = "Use utf-8, cp932, euc_jp, utf-16 or another text encoding of Python."
        reader.end(f"encoding: {asked!r} is not a text encoding", 0, hint=hint, code="unknown_encoding")
    try:
        text = content.decode(name).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        reader.begin(content[: error.start].decode(name, "replace"))
        shown = name.removesuffix("-sig")
        message = f"this is not {shown} text (byte 0x{content[error.start]:02x})"
        reader.end(message, len(reader.text), hint=_encoding_hint(content), code="encoding")
    if "\0" in text:
        reader.begin(text)
        hint = _encoding_hint(content)
        reader.end("the file has NUL characters", text.index("\0"), hint=hint, code="nul_byte")
    return text


def _found(content: bytes) -> str:
    if b"\0" not in content:
        try:
            content.decode()
        except UnicodeDecodeError:
            pass
        else:
            return "utf-8"
    return sure_encoding(content) or "utf-8"


def _encoding_hint(content: bytes) -> str:
    likely = likely_encoding(content)
    if likely in (None, "utf-8"):
        return "Save the file as UTF-8."
    return f"It looks like {likely}: set `encoding: {likely}` next to `path`, or save the file as UTF-8."
