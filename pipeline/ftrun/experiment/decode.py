"""Read a text file of the experiment: a regular file, not too big, UTF-8; errors name the place."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from ftrun.errors import ConfigError
from ftrun.experiment.places import LINE_BREAK, shown_path

# control characters, and the line breaks of Unicode, which editors count differently
REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

OWN_ENDINGS = (".yaml", ".yml", ".j2")
# no experiment file has one of these; a .json could be one
DATA_ENDINGS = (
    ".csv",
    ".tsv",
    ".tab",
    ".jsonl",
    ".ndjson",
    ".xlsx",
    ".xls",
    ".parquet",
    ".arrow",
    ".sqlite",
    ".db",
)


def read_bytes(path: Path, *, limit: int) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes; ConfigError says why it can't be read."""
    where: dict[str, Any] = {"file": shown_path(path), "line": 1, "column": 1}
    try:
        if not path.exists():
            raise ConfigError("there is no such file", code="no_such_file", hint=_near(path), **where)
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise ConfigError(f"this is {kind}; expected a file", code="not_a_file", **where)
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot be read: {reason}", code="unreadable", **where) from error
    if len(content) > limit:
        raise ConfigError(f"the file is larger than {limit:,} bytes", code="too_large", **where)
    return content


def refuse_data(path: Path) -> None:
    """Raise ConfigError, with what to do first, if a data file is given instead of an experiment file."""
    if path.name.lower().removesuffix(".gz").endswith(DATA_ENDINGS):
        hint = f"Draft an experiment from it first: ftrun init {shlex.quote(shown_path(path))}"
        message = "this is a data file, not an experiment"
        raise ConfigError(message, code="not_an_experiment", file=shown_path(path), hint=hint)


def decode(content: bytes, path: Path) -> str:
    """Return UTF-8 `content` (with or without BOM) as text; ConfigError points to the first wrong byte."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", "replace")
        lines = LINE_BREAK.split(before)
        raise ConfigError(
            f"this is not UTF-8 text (byte 0x{error.object[error.start]:02x})",
            code="encoding",
            hint=_encoding_hint(content),
            file=shown_path(path),
            line=len(lines),
            column=len(lines[-1]) + 1,
        ) from error


def refuse_control_characters(text: str, path: Path) -> None:
    """Raise ConfigError at the first character that is not allowed in a YAML file."""
    found = REFUSED.search(text)
    if found is None:
        return
    lines = LINE_BREAK.split(text[: found.start()])
    raise ConfigError(
        f"the character U+{ord(found[0]):04X} is not allowed in a YAML file",
        code="yaml_character",
        hint=f'Delete it, or write it as an escape inside double quotes: "\\u{ord(found[0]):04X}".',
        file=shown_path(path),
        line=len(lines),
        column=len(lines[-1]) + 1,
    )


def _encoding_hint(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:64]:
        return "It looks like UTF-16: save it as UTF-8."
    try:
        content.decode("cp932")
    except UnicodeDecodeError:
        return "Save the file as UTF-8."
    return "It looks like Shift_JIS (cp932): save it as UTF-8, e.g. `iconv -f CP932 -t UTF-8 OLD > NEW`."


def _near(path: Path) -> str | None:
    """Return which file was probably meant: here, in a folder with nearly this name, or in configs/."""
    import difflib  # only errors need it

    folder = path.parent
    if not folder.is_dir():
        wanted = folder.absolute()
        others = (
            [one.name for one in wanted.parent.iterdir() if one.is_dir()] if wanted.parent.is_dir() else []
        )
        similar = difflib.get_close_matches(wanted.name, others, n=1, cutoff=0.7)
        meant = wanted.parent / similar[0] / path.name if similar else None
        if meant is not None and meant.is_file():
            return f"Did you mean {shown_path(meant)}?"
        return f"The folder {shown_path(folder)} does not exist either."
    endings = (".j2",) if path.suffix == ".j2" else (".yaml", ".yml")
    for place in (folder, folder / "configs", folder.parent):  # the nearest name, with or without extension
        files = _files_in(place, endings)
        known = {one.stem: one for one in files} | {one.name: one for one in files}
        near = difflib.get_close_matches(path.name, known, n=1, cutoff=0.7)
        if near:
            return f"Did you mean {shown_path(known[near[0]])}?"
    names = sorted(one.name for one in _files_in(folder, OWN_ENDINGS))
    return f"The folder has: {', '.join(names[:10])}." if names else None


def _files_in(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.suffix in endings]
    except OSError:  # it is not there, or may not be read
        return []
