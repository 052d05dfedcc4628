"""`ftrun init FILE`: read a data file, propose an experiment, write it. It overwrites nothing unasked."""

from __future__ import annotations

import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.output import print_json
from ftrun.errors import DecisionError, UsageError
from ftrun.files import atomic_writer, output_path, refuse_file, write_atomic
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.scaffold.chat_exports import UnclearPersonaError
    from ftrun.scaffold.propose import Proposal

NAME = re.compile(r"[a-z0-9._-]{1,64}")


@click.command("init")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="The experiment's name; default: the data file's.")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; default: configs/NAME.yaml.")
@click.option("--user", metavar="COL", help="The column with the questions.")
@click.option("--assistant", metavar="COL", help="The column with the answers.")
@click.option("--sheet", help="The sheet of an Excel workbook that has several.")
@click.option("--query", metavar="SELECT", help="The query for an SQLite file.")
@click.option(
    "--separator", metavar="MARK", help="What separates the columns of a table: a character or tab."
)
@click.option("--header-row", type=click.IntRange(min=1), help="The line with the column names, from 1.")
@click.option("--records", metavar="KEY", help="The key of a JSON object that holds the rows.")
@click.option("--persona", metavar="NAME", help="Who in a chat export the model should learn to be.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def command(
    file: Path,
    name: str | None,
    out: Path | None,
    user: str | None,
    assistant: str | None,
    sheet: str | None,
    query: str | None,
    separator: str | None,
    header_row: int | None,
    records: str | None,
    persona: str | None,
    force: bool,
    as_json: bool,
) -> int:
    """Write a new experiment from a data file: CSV, TSV, JSON, JSONL, Excel, Parquet, SQLite.

    Proposes columns, a persona prompt and questions; a file outside the project is copied into it.
    """
    from ftrun.scaffold.chat_exports import UnclearPersonaError
    from ftrun.scaffold.data_file import read_data_file
    from ftrun.scaffold.propose import propose

    if separator is not None and (separator == '"' or (len(separator) != 1 and separator != "tab")):
        hint = "Write one character, such as ';', or tab."
        raise UsageError(f"--separator {separator}: this is not one character", code="usage", hint=hint)
    keys = {"separator": separator, "header_row": header_row, "records": records}
    asked = {key: value for key, value in keys.items() if value is not None}
    data_file = read_data_file(file, sheet=sheet, query=query, asked=asked)
    try:
        proposal = propose(data_file, user=user, assistant=assistant, persona=persona)
    except UnclearPersonaError as error:
        persona = _ask_persona(error, as_json=as_json)
        proposal = propose(data_file, user=user, assistant=assistant, persona=persona)
    name = _name(name, out, file)
    target = output_path(out or Path("configs", f"{name}.yaml"))
    if target.suffix not in (".yaml", ".yml"):
        raise UsageError(
            f"--out {target.name}: it must end in .yaml", code="usage", hint=f"--out {target.name}.yaml"
        )
    data = _data_path(file, target)
    copied = None if data.exists() and data.samefile(file) else data
    if copied and file.is_dir():
        hint = f"Copy the folder {file.name} into the project first."
        raise UsageError("the folder is outside the project", code="outside_project", hint=hint)
    texts = _texts(proposal, name, target, data)
    content = file.read_bytes() if copied else b""
    contents = {path: text.encode() for path, text in texts.items()} | ({copied: content} if copied else {})
    _refuse_overwriting(contents, force)
    if copied is not None:
        with atomic_writer(copied) as writer:
            writer.write(content)
    for path, text in texts.items():
        write_atomic(path, text)
    document = _document(proposal, name, target, list(texts), copied)
    if as_json:
        print_json(document)
    else:
        _print(document, proposal)
    return 0


def _ask_persona(error: UnclearPersonaError, *, as_json: bool) -> str:
    """Return the speaker that a person chooses; without a terminal, raise the error with its commands."""
    if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise error
    speakers = {str(number): name for number, name in enumerate(error.speakers, 1)}
    for number, name in speakers.items():
        print(f"  {number}  {visible(name)}", file=sys.stderr)
    words = "Who should the model learn to be?"
    return speakers[click.prompt(words, type=click.Choice(list(speakers)), show_choices=False, err=True)]


def _name(asked: str | None, out: Path | None, file: Path) -> str:
    """Return the experiment's name: the one asked for, or one made from a file's."""
    if asked is not None:
        if not NAME.fullmatch(asked) or asked in (".", ".."):
            hint = "Use 1 to 64 of a-z, 0-9, dot, underscore and hyphen."
            raise UsageError(f"--name {asked}: this can't be a name", code="usage", hint=hint)
        return asked
    stem = unicodedata.normalize("NFKC", (out or file).stem).casefold()
    stem = re.sub(r"\.[a-z]+$", "", stem) if file.suffix == ".gz" and out is None else stem
    name = re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._")
    return (name if re.search("[a-z]", name) else f"experiment-{name}".strip("-"))[:64]


def _data_path(file: Path, target: Path) -> Path:
    """Return where the data will be: where they are or, if outside the project, data/ beside `target`."""
    from ftrun.experiment.document import project_folder

    source = file.resolve()
    if source.is_relative_to(project_folder(target).resolve()):
        return source
    return target.parent / "data" / file.name


def _texts(proposal: Proposal, name: str, target: Path, data: Path) -> dict[Path, str]:
    """Return what to write, the experiment last: a folder left half written has no broken experiment."""
    from ftrun.scaffold.draft import PERSONAS, draft_experiment

    prompt = f"prompts/{name}.j2" if proposal.shape.needs_system else None
    relative = Path(os.path.relpath(data, target.parent.resolve())).as_posix()
    experiment = draft_experiment(proposal, name=name, data=relative, prompt=prompt)
    texts = {target.parent / prompt: PERSONAS[proposal.language]} if prompt else {}
    return {**texts, target: experiment}


def _refuse_overwriting(wanted: Mapping[Path, bytes], force: bool) -> None:
    """Raise DecisionError if one of the files exists with another content."""
    from ftrun.experiment.places import shown_path

    for path in wanted:
        refuse_file(path)
    taken = [
        path
        for path, content in wanted.items()
        if path.exists() and not (path.is_file() and path.read_bytes() == content)
    ]
    if taken and not force:
        names = ", ".join(shown_path(path) for path in taken)
        hint = "Write another one with --name OTHER, or overwrite it with --force."
        raise DecisionError(f"{names} already exists", code="exists", hint=hint, file=shown_path(taken[0]))


def _document(
    proposal: Proposal, name: str, target: Path, written: list[Path], copied: Path | None
) -> dict[str, Any]:
    """Return the result of `--json`."""
    from ftrun.cli.command_lines import program
    from ftrun.data.readers.sources import TEXT
    from ftrun.experiment.places import shown_path

    config, file, shape = shown_path(target), proposal.file, proposal.shape
    return {
        "experiment": name,
        "file": config,
        "written": [shown_path(path) for path in written],
        "copied": shown_path(copied) if copied else None,
        "rows": proposal.rows,
        "format": file.format,
        "encoding": file.encoding or ("utf-8" if file.format in TEXT else None),
        "method": proposal.method,
        "columns": None if shape.columns is None else dict(shape.columns),
        "guessed": shape.guessed,
        "notes": list(proposal.notes),
        "next": [f"{program()} {words}{shlex.quote(config)}" for words in ("check ", "")],
    }


def _print(document: Mapping[str, Any], proposal: Proposal) -> None:
    rows = "conversations" if "group_by" in proposal.shape.source else "rows"
    print(f"{document['rows']} different {rows}: {visible(proposal.shape.words)}.")
    if document["copied"]:
        print(f"copied   {visible(document['copied'])} (the data were outside the project)")
    for path in document["written"]:
        print(f"written  {visible(path)}")
    for note in document["notes"]:
        print(f"note: {visible(note)}")
    if proposal.shape.needs_system:
        print(f"Say who is speaking in {visible(document['written'][0])}, then:")
    for line in document["next"]:
        print(f"  {visible(line)}")
