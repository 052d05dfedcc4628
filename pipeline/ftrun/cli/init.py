"""`ftrun init FILE`: look at a data file, propose an experiment, write it. Never overwrites unasked."""

from __future__ import annotations

import os
import re
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
    from ftrun.scaffold.peek import Look
    from ftrun.scaffold.propose import Proposal

NAME = re.compile(r"[a-z0-9._-]{1,64}")


@click.command("init")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="The experiment's name; left out, the data file's.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="The file to write; left out, configs/NAME.yaml."
)
@click.option("--user", metavar="COL", help="The column with the questions.")
@click.option("--assistant", metavar="COL", help="The column with the answers.")
@click.option("--sheet", help="The sheet of an Excel workbook that has several.")
@click.option("--query", metavar="SELECT", help="What to ask an SQLite file.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def command(
    file: Path,
    name: str | None,
    out: Path | None,
    user: str | None,
    assistant: str | None,
    sheet: str | None,
    query: str | None,
    force: bool,
    as_json: bool,
) -> int:
    """Write a new experiment from a data file: CSV, TSV, JSON, JSONL, Excel, Parquet, SQLite.

    Proposes columns, a persona prompt and questions; a file outside the project is copied into it.
    """
    from ftrun.scaffold.peek import peek
    from ftrun.scaffold.propose import propose

    look = peek(file, sheet=sheet, query=query)
    proposal = propose(look, user=user, assistant=assistant)
    name = _name(name, out, file)
    target = output_path(out or Path("configs", f"{name}.yaml"))
    if target.suffix not in (".yaml", ".yml"):
        raise UsageError(
            f"--out {target.name}: it must end in .yaml", code="usage", hint=f"--out {target.name}.yaml"
        )
    place = _data_place(look, target)
    texts = _texts(look, proposal, name, target, place)
    _refuse_overwriting(texts, None if _is_same(file, place) else place, look, force)
    copied = _write(texts, file, place)
    document = _document(look, proposal, name, target, list(texts), copied)
    if as_json:
        print_json(document)
    else:
        _print(document, proposal)
    return 0


def _name(asked: str | None, out: Path | None, file: Path) -> str:
    """Return the experiment's name; the file's is made to fit, one that was asked for is not changed."""
    if asked is not None:
        if not NAME.fullmatch(asked) or asked in (".", ".."):
            hint = "Use 1 to 64 of a-z, 0-9, dot, underscore and hyphen."
            raise UsageError(f"--name {asked}: this can't be a name", code="usage", hint=hint)
        return asked
    stem = unicodedata.normalize("NFKC", (out or file).stem).casefold()
    stem = re.sub(r"\.[a-z]+$", "", stem) if file.suffix == ".gz" and out is None else stem
    name = re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._")
    return (name if re.search("[a-z]", name) else f"experiment-{name}".strip("-"))[:64]


def _data_place(look: Look, target: Path) -> Path:
    """Return where the data will be: where it is, or in data/ beside the experiment if it lies elsewhere."""
    from ftrun.experiment.document import project_folder

    source = look.path.resolve()
    if source.is_relative_to(project_folder(target).resolve()):
        return source
    return target.parent / "data" / look.path.name


def _is_same(file: Path, place: Path) -> bool:
    return place.exists() and place.samefile(file)


def _texts(look: Look, proposal: Proposal, name: str, target: Path, place: Path) -> dict[Path, str]:
    """Return what to write, the experiment last: a folder left half written holds no broken experiment."""
    from ftrun.scaffold.draft import draft_experiment, draft_prompt

    prompt = target.parent / "prompts" / f"{name}.j2" if proposal.needs_system else None
    experiment = draft_experiment(
        proposal,
        name=name,
        data=Path(os.path.relpath(place, target.parent.resolve())).as_posix(),
        prompt=f"prompts/{name}.j2" if prompt else None,
        source={"encoding": look.encoding, "sheet": look.sheet, "query": look.query},
    )
    return {**({prompt: draft_prompt(proposal)} if prompt else {}), target: experiment}


def _refuse_overwriting(texts: Mapping[Path, str], copy: Path | None, look: Look, force: bool) -> None:
    """Raise DecisionError if a file is there already and says something else."""
    from ftrun.experiment.places import shown_path

    wanted = {path: text.encode() for path, text in texts.items()}
    if copy is not None:
        wanted[copy] = look.path.read_bytes()
    for path in wanted:
        refuse_file(path)
    taken = [path for path, content in wanted.items() if path.exists() and not _holds(path, content)]
    if taken and not force:
        names = ", ".join(shown_path(path) for path in taken)
        hint = "Write beside it with --name OTHER, or overwrite it with --force."
        raise DecisionError(f"there already is {names}", code="exists", hint=hint, file=shown_path(taken[0]))


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _write(texts: Mapping[Path, str], file: Path, place: Path) -> Path | None:
    """Write everything; return where the data was copied to, None if it stays."""
    copied = None if _is_same(file, place) else place
    if copied is not None:
        with atomic_writer(copied) as target:
            target.write(file.read_bytes())
    for path, text in texts.items():
        write_atomic(path, text)
    return copied


def _document(
    look: Look, proposal: Proposal, name: str, target: Path, written: list[Path], copied: Path | None
) -> dict[str, Any]:
    """Return the result of `--json`."""
    from ftrun.cli.command_lines import program
    from ftrun.data.readers.rows import TEXT
    from ftrun.experiment.places import shown_path

    config = shown_path(target)
    return {
        "experiment": name,
        "file": config,
        "written": [shown_path(path) for path in written],
        "copied": shown_path(copied) if copied else None,
        "rows": proposal.rows,
        "format": look.format,
        "encoding": look.encoding or ("utf-8" if look.format in TEXT else None),
        "method": proposal.method,
        "columns": _columns(proposal),
        "guessed": bool(
            (proposal.columns and proposal.columns.guessed) or (proposal.log and proposal.log.guessed)
        ),
        "notes": list(proposal.notes),
        "next": [f"{program()} check {_quoted(config)}", f"{program()} {_quoted(config)}"],
    }


def _columns(proposal: Proposal) -> dict[str, str | None] | None:
    """Return what was found in which column; None where the rows are ready."""
    columns, log, chosen = proposal.columns, proposal.log, proposal.preferences
    if log is not None:
        return {
            "conversation": log.conversation,
            "order": log.order,
            "role": log.role,
            "content": log.content,
        }
    if chosen is not None:
        return {"user": chosen.user, "preferred": chosen.preferred, "non_preferred": chosen.rejected}
    return {"user": columns.user, "assistant": columns.assistant} if columns else None


def _what(proposal: Proposal) -> str:
    """Return in words what the rows are."""
    columns, log, chosen = proposal.columns, proposal.log, proposal.preferences
    if log is not None:
        order = f" and {log.order!r} orders" if log.order else ""
        said = f"{log.role!r} says who speaks and {log.content!r} what"
        return f"a chat log; {log.conversation!r} groups{order} its rows, {said}"
    if chosen is not None:
        return f"{chosen.user!r} asks, {chosen.preferred!r} is preferred to {chosen.rejected!r}"
    if columns is not None:
        return f"{columns.user!r} asks, {columns.assistant!r} answers"
    if proposal.sharegpt:
        return "ShareGPT's conversations, which become chats"
    return "ready preferences" if proposal.method == "dpo" else "ready chats"


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _print(document: Mapping[str, Any], proposal: Proposal) -> None:
    rows = "conversations" if proposal.log else "rows"
    print(f"{document['rows']} different {rows}: {visible(_what(proposal))}.")
    if document["copied"]:
        print(f"copied   {visible(document['copied'])} (the data lay outside the project)")
    for path in document["written"]:
        print(f"written  {visible(path)}")
    for note in document["notes"]:
        print(f"note: {visible(note)}")
    if proposal.needs_system:
        print(f"Say who is speaking in {visible(document['written'][0])}, then:")
    for line in document["next"]:
        print(f"  {visible(line)}")
