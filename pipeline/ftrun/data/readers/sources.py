"""What an experiment reads: files, globs, databases, datasets; refuses what lies outside the project."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ftrun.data.diagnostics.findings import Findings
from ftrun.errors import DataError
from ftrun.experiment.model import Experiment, Source
from ftrun.experiment.places import place_of, shown_path

Role = Literal["data", "validation", "test"]
ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".db": "sqlite",
}
EXPORTS = ("line", "whatsapp", "telegram", "discord", "slack")  # of chats
TEXT = frozenset(("csv", "tsv", "jsonl", "json", *EXPORTS))
USED_BY = {
    "encoding": TEXT,
    "separator": frozenset(("csv", "tsv")),
    "header_row": frozenset(("csv", "tsv", "xlsx")),
    "records": frozenset(("json",)),
    "pause": frozenset(EXPORTS),
    "turns": frozenset(EXPORTS),
    "sheet": frozenset(("xlsx",)),
    "query": frozenset(("sqlite",)),
}
KINDS = {
    "encoding": "text files",
    "separator": "CSV and TSV files",
    "header_row": "CSV, TSV and Excel files",
    "records": "JSON files",
    "pause": "chat exports",
    "turns": "chat exports",
    "sheet": "Excel workbooks",
    "query": "SQLite files",
}
OTHER_TABLES = frozenset((".xls", ".xlsb", ".ods", ".numbers"))
PACKED = ".gz"
REVIEW_ENDING = ".review.jsonl"  # rows that nobody has approved: a glob never takes them for data
MOST_NAMES = 8  # shown of a folder's files


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One file of a source. `role`: its rows are divided ("data") or are a held-out set of their own.

    A database (format "sql") has no file: `path` is then the project and the name of its variable.
    """

    path: Path
    source: Source
    role: Role
    format: str


def source_files(experiment: Experiment, *, download: bool = True) -> tuple[SourceFile, ...]:
    """Return the files of all sources in reading order; DataError has every path that can't be used.

    Without `download` a dataset of the hub is one file that need not exist.
    """
    findings = Findings()
    files = usable_files(experiment, findings, download=download)
    findings.raise_errors()
    return files


def verbatim_files(experiment: Experiment) -> dict[str, Path]:
    """Return the files that are sent byte for byte, by the split's name; none without `data.verbatim`."""
    files = source_files(experiment) if experiment.data.verbatim else ()
    return {"train" if one.role == "data" else one.role: one.path for one in files}


def usable_files(
    experiment: Experiment, findings: Findings, *, download: bool = True
) -> tuple[SourceFile, ...]:
    """Return the files that can be used; the others go to `findings`."""
    files: list[SourceFile] = []
    for role, source in sources(experiment):
        if source.encoding is not None and not _is_encoding(source.encoding):
            where = place_of(experiment, *source.key, "encoding")
            findings.add("unknown_encoding", f"{source.encoding!r} is not a text encoding", **where)
            continue
        found = list(_readable(experiment, source, findings, download=download))
        _refuse_unused(experiment, source, {file_format for _, file_format in found}, findings)
        for path, file_format in found:
            files.append(SourceFile(path=path, source=source, role=role, format=file_format))
    return tuple(files)


def _refuse_unused(experiment: Experiment, source: Source, formats: set[str], findings: Findings) -> None:
    """Report keys that none of the source's files uses: they were meant to have an effect."""
    for key, used_by in USED_BY.items():
        if getattr(source, key) is not None and formats and not formats & used_by:
            message = f"`{key}` is for {KINDS[key]}, but the source is {' and '.join(sorted(formats))}"
            findings.add("source_key", message, **place_of(experiment, *source.key, key))


def _is_encoding(name: str) -> bool:
    from ftrun.encoding_detection import known_encoding  # most sources name none

    return known_encoding(name) is not None


def _readable(
    experiment: Experiment, source: Source, findings: Findings, *, download: bool
) -> Iterator[tuple[Path, str]]:
    """Yield path and format of what can be read of a source."""
    if source.sql is not None:
        yield experiment.project / f"${source.sql.url_env}", "sql"
        return
    where = place_of(experiment, *source.key, "dataset" if source.dataset else "path")
    on_hub = source.dataset is not None and source.dataset.id is not None
    if source.dataset is not None and on_hub and not download:
        yield experiment.project / f"{source.dataset.id}@{source.dataset.revision}", "hub"
        return
    found = _dataset_files(experiment, source, where, findings)
    for path in _matches(source, where, findings) if found is None else found:
        # the files of a downloaded dataset are links into the download cache
        if on_hub or _is_allowed(path, experiment, where, findings):
            file_format = _format(path, source, where, findings)
            if file_format:
                yield path, file_format


def _dataset_files(
    experiment: Experiment, source: Source, where: dict[str, Any], findings: Findings
) -> list[Path] | None:
    dataset = source.dataset
    if dataset is None:
        return None
    from ftrun.data.readers.hub import dataset_files, hub_folder

    folder = source.base / (dataset.path or "")
    try:
        if dataset.path is None:
            return dataset_files(hub_folder(dataset), dataset)
        if not folder.is_dir():
            hint = _near(folder)
            findings.add("missing_file", f"there is no folder {dataset.path!r}", hint=hint, **where)
        elif _is_inside(folder, folder.resolve(), experiment, where, findings):
            return dataset_files(folder, dataset)
    except DataError as error:
        findings.add(
            error.code, f"the dataset {dataset.path or dataset.id}: {error}", hint=error.problem.hint, **where
        )
    return []


def sources(experiment: Experiment) -> Iterator[tuple[Role, Source]]:
    """Yield every source with its role: data first, then validation and test files of their own."""
    for source in experiment.data.sources:
        yield "data", source
    split = experiment.data.split
    if split is not None:
        for source in split.validation if isinstance(split.validation, tuple) else ():
            yield "validation", source
        for source in split.test if isinstance(split.test, tuple) else ():
            yield "test", source


def _matches(source: Source, where: dict[str, Any], findings: Findings) -> list[Path]:
    assert source.path is not None
    literal = source.base / source.path
    try:
        if literal.exists() or literal.is_symlink():
            return [literal]
        if glob.has_magic(source.path):
            found = glob.glob(source.path, root_dir=source.base, recursive=True)  # noqa: PTH207 - takes ../ too
            paths = [source.base / name for name in sorted(found)]
            if paths := [path for path in paths if not (path.is_dir() or path.name.endswith(REVIEW_ENDING))]:
                return paths
    except (OSError, ValueError) as error:
        findings.add("missing_file", f"{source.path!r} is not a usable path: {error}", **where)
        return []
    findings.add("missing_file", f"there is no file {source.path!r}", hint=_near(literal), **where)
    return []


def _near(path: Path) -> str:
    import difflib  # only errors need it

    folder = path.parent
    while not folder.is_dir():
        if folder == folder.parent:
            return "Fix `path`."
        folder = folder.parent
    if folder != path.parent and not glob.has_magic(str(path.parent)):
        folders = [entry.name for entry in path.parent.parent.glob("*/")]
        if similar := difflib.get_close_matches(path.parent.name, folders, n=1):
            return f"Did you mean the folder {shown_path(path.parent.with_name(similar[0]))}?"
        return f"The folder {shown_path(path.parent)} does not exist; {shown_path(folder)} does."
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    near = difflib.get_close_matches(path.name, names, n=1)
    if near:
        return f"Did you mean {shown_path(folder / near[0])}?"
    return f"{shown_path(folder)} has: {', '.join(names[:MOST_NAMES]) or 'nothing'}."


def _format(path: Path, source: Source, where: dict[str, Any], findings: Findings) -> str | None:
    if source.format is not None:
        return source.format
    extension = extension_of(path)
    if extension in OTHER_TABLES:
        findings.add("other_table", f"{path.name}: {extension} files are not read", **where)
    elif extension not in ENDINGS:
        message = f"{path.name}: the extension {extension!r} does not name a known format"
        findings.add("unknown_format", message, hint=_format_hint(path), **where)
    return ENDINGS.get(extension)


def _format_hint(path: Path) -> str | None:
    """Return the fix for a file whose content shows its format, whatever its name."""
    from ftrun.data.readers.looking.content import TITLES, format_of  # only errors need it

    found = format_of(path)
    if found is None:
        return None
    if found in EXPORTS:
        return f"The content is a chat export of {TITLES[found]}: set `format: {found}` on the source."
    return f"The content is {TITLES[found]}: name the file .{found}, or set `format: {found}` on the source."


def extension_of(path: Path) -> str:
    """Return the extension that names the format, in lower case: that of rows.csv.gz is .csv."""
    name = path.with_suffix("") if path.suffix.lower() == PACKED else path
    return name.suffix.lower()


def _is_allowed(path: Path, experiment: Experiment, where: dict[str, Any], findings: Findings) -> bool:
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        findings.add("missing_file", f"{shown_path(path)} leads nowhere: {error}", **where)
        return False
    if not _is_inside(path, real, experiment, where, findings):
        return False
    if not real.is_file():
        kind = "a folder" if real.is_dir() else "not a regular file"
        findings.add("not_a_file", f"{shown_path(path)} is {kind}", **where)
        return False
    return True


def _is_inside(
    path: Path, real: Path, experiment: Experiment, where: dict[str, Any], findings: Findings
) -> bool:
    if real.is_relative_to(experiment.project.resolve()):
        return True
    message = f"{source_name(path, real)} is outside the project folder"
    findings.add("outside_project", message, **where)
    return False


def source_name(path: Path, real: Path) -> str:
    """Return the name of a file for messages, with where it leads if it is a link."""
    return f"{path} -> {real}" if path.is_symlink() else str(path)
