"""`ftrun init FILE`: read a data file, propose an experiment, write it. It overwrites nothing unasked."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.output import print_json
from ftrun.errors import DecisionError, UsageError
from ftrun.files import atomic_writer, make_folder, output_path, refuse_file, write_atomic
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.scaffold.chat_exports import UnclearPersonaError
    from ftrun.scaffold.propose import Proposal
    from ftrun.scaffold.trial import Trial
    from ftrun.scaffold.unclear import UnclearError

LONGEST_ASKED = 200  # characters of a name that is spelled in ASCII
NAME = re.compile(r"[a-z0-9._-]{1,64}")


@click.command("init")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="The experiment's name; default: the data file's, or its folder's.")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; default: configs/NAME.yaml.")
@click.option("--user", metavar="COL", help="The column with the questions.")
@click.option("--assistant", metavar="COL", help="The column with the answers.")
@click.option("--encoding", metavar="NAME", help="The encoding of a text file, if it is not sure.")
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
    encoding: str | None,
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
    if separator is not None and (separator == '"' or (len(separator) != 1 and separator != "tab")):
        hint = "Write one character, such as ';', or tab."
        raise UsageError(f"--separator {separator}: this is not one character", code="usage", hint=hint)
    options: dict[str, str | int | None] = {"user": user, "assistant": assistant, "encoding": encoding}
    options |= {"sheet": sheet, "query": query, "separator": separator, "header_row": header_row}
    options |= {"records": records, "persona": persona}
    again = [word for key, value in (("--name", name), ("--out", out)) if value for word in (key, str(value))]
    proposal = _proposed(file, options, [*again, *(["--force"] if force else [])], as_json=as_json)
    asked_name = name
    name = _name(name, out, file)
    target = output_path(out or Path("configs", f"{name}.yaml"))
    if target.suffix not in (".yaml", ".yml"):
        raise UsageError(
            f"--out {target.name}: it must end in .yaml", code="usage", hint=f"--out {target.name}.yaml"
        )
    data = _data_path(file, target, name)
    if file.is_dir() and not data.exists():
        hint = f"Copy the folder {file.name} into the project first."
        raise UsageError("the folder is outside the project", code="outside_project", hint=hint)
    held_out = {
        role: [_data_path(path, target, name) for path in paths] for role, paths in proposal.held_out.items()
    }
    trial = _tried(proposal, name, file)
    texts = _texts(proposal, name, target, data, held_out, trial)
    copies = dict(_copies(proposal, file, data, held_out))
    contents = {path: text.encode() for path, text in texts.items()} | copies
    _refuse_overwriting(contents, force)
    for path, content in copies.items():
        make_folder(path.parent)
        with atomic_writer(path) as writer:
            writer.write(content)
    for path, text in texts.items():
        write_atomic(path, text)
    notes = [*_name_notes(asked_name, name), *proposal.notes, *_trial_notes(trial), *_package_notes(proposal)]
    document = _document(proposal, name, target, list(texts), list(copies), notes)
    if as_json:
        print_json(document)
    else:
        _print(document, proposal)
    return 0


def _proposed(
    file: Path, options: Mapping[str, str | int | None], again: list[str], *, as_json: bool
) -> Proposal:
    """Return what to make of the file; a person is asked, as often as something is unclear."""
    from ftrun.scaffold.chat_exports import UnclearPersonaError
    from ftrun.scaffold.data_file import read_data_file
    from ftrun.scaffold.propose import propose
    from ftrun.scaffold.unclear import UnclearError

    keys = {key: options[key] for key in ("separator", "header_row", "records")}
    texts = {key: None if value is None else str(value) for key, value in options.items()}
    try:
        data_file = read_data_file(
            file,
            encoding=texts["encoding"],
            sheet=texts["sheet"],
            query=texts["query"],
            asked={key: value for key, value in keys.items() if value is not None},
        )
        return propose(data_file, user=texts["user"], assistant=texts["assistant"], persona=texts["persona"])
    except UnclearPersonaError as error:
        chosen: dict[str, str | int | None] = {"persona": _ask_persona(error, as_json=as_json)}
    except UnclearError as error:
        given = [word for key, value in options.items() if value is not None for word in _option(key, value)]
        chosen = _chosen(error, file, [*given, *again], as_json=as_json)
    return _proposed(file, {**options, **chosen}, again, as_json=as_json)


def _option(key: str, value: str | int) -> tuple[str, str]:
    return f"--{key.replace('_', '-')}", str(value)


def _chosen(
    error: UnclearError, file: Path, given: list[str], *, as_json: bool
) -> dict[str, str | int | None]:
    """Return the options of the way that a person chooses; without a terminal, raise all as commands."""
    from ftrun.cli.command_lines import program

    if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        for way in error.ways:
            names = way.options[::2]
            pairs = list(zip(given[::2], given[1::2], strict=False))
            kept = [word for pair in pairs if pair[0] not in names for word in pair]
            forced = ["--force"] if "--force" in given else []
            command = shlex.join(["init", str(file), *way.options, *kept, *forced])
            error.problem.hint = "\n".join(filter(None, (error.problem.hint, f"{program()} {command}")))
        raise error
    print(visible(str(error)), file=sys.stderr)
    for number, way in enumerate(error.ways, 1):
        for line in way.shown:
            print(f"  {number}  {visible(line)}", file=sys.stderr)
    choice = click.Choice([str(number) for number in range(1, len(error.ways) + 1)])
    way = error.ways[int(click.prompt("Which one is right?", type=choice, err=True)) - 1]
    return dict(zip((key.removeprefix("--") for key in way.options[::2]), way.options[1::2], strict=True))


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
    """Return the experiment's name: the one asked for, or one made from a file's; in ASCII."""
    from ftrun.scaffold.naming import ascii_name, name_of

    if asked is None:
        return (ascii_name(out.stem) if out is not None else "") or name_of(file)
    if NAME.fullmatch(asked) and asked not in (".", ".."):
        return asked
    name = ascii_name(asked) if len(asked) <= LONGEST_ASKED and asked.isprintable() else ""
    if not name:
        hint = "Use letters and digits, at most 64."
        raise UsageError(f"--name {asked}: this can't be a name", code="usage", hint=hint)
    return name


def _name_notes(asked: str | None, name: str) -> Iterator[str]:
    if asked is not None and asked != name:
        yield f"The experiment is called {name}: names are a-z, 0-9, dot, underscore and hyphen."


def _data_path(file: Path, target: Path, name: str) -> Path:
    """Return where the data will be: where they are or, if outside the project, data/ beside `target`.

    A file whose name says nothing, such as train.jsonl, gets a folder of its own there.
    """
    from ftrun.experiment.document import project_folder
    from ftrun.scaffold.naming import ascii_name, says_nothing

    source = file.resolve()
    if source.is_relative_to(project_folder(target).resolve()):
        return source
    stem = file.name.split(".")[0]
    unnamed = says_nothing(stem, ascii_name(stem))
    return target.parent / "data" / name / file.name if unnamed else target.parent / "data" / file.name


def _copies(
    proposal: Proposal, file: Path, data: Path, held_out: Mapping[str, list[Path]]
) -> Iterator[tuple[Path, bytes]]:
    """Yield the files that are copied into the project, and what they hold."""
    pairs = [(file, data)]
    for role, paths in proposal.held_out.items():
        pairs += zip(paths, held_out[role], strict=True)
    for source, path in pairs:
        if not source.is_dir() and not (path.exists() and path.samefile(source)):
            yield path, source.read_bytes()


def _tried(proposal: Proposal, name: str, file: Path) -> Trial:
    """Return what the check says of the draft, and what it should ask."""
    from ftrun.scaffold.draft import Paths, draft_experiment, persona
    from ftrun.scaffold.trial import Trial, try_draft

    prompt = _prompt_file(proposal, name)
    paths = Paths(
        data=str(file.resolve()),
        prompt=prompt,
        held_out={role: [str(one.resolve()) for one in files] for role, files in proposal.held_out.items()},
    )
    draft = draft_experiment(proposal, name=name, paths=paths, trial=Trial())
    prompts = {prompt: persona(proposal)} if prompt else {}
    return try_draft(
        draft,
        prompts,
        file,
        answer_field=proposal.reference,
        labels=not proposal.judging.general,
    )


def _prompt_file(proposal: Proposal, name: str) -> str | None:
    """Return the path of the persona beside the experiment; None if the rows bring their system prompts."""
    return f"prompts/{name}.j2" if proposal.shape.needs_system else None


def _trial_notes(trial: Trial) -> Iterator[str]:
    """Yield what `ftrun check` will say of the draft; that there are too few rows was said before."""
    for problem in trial.errors:
        if problem.code != "too_few_examples":
            yield f"Fix this before a run: {problem.message} ({problem.code})"
    yield from trial.notes


def _package_notes(proposal: Proposal) -> Iterator[str]:
    """Yield what must be installed before the first run, so that it isn't refused."""
    from importlib.util import find_spec

    from ftrun.installation import install_extra

    judging = proposal.judging
    if "chrf" in (judging.metric, *(name for name, _ in judging.scorers)) and find_spec("sacrebleu") is None:
        yield f"chrf needs packages that are not installed. Before the first run: {install_extra('eval')}"


def _texts(
    proposal: Proposal,
    name: str,
    target: Path,
    data: Path,
    held_out: Mapping[str, list[Path]],
    trial: Trial,
) -> dict[Path, str]:
    """Return what to write, the experiment last: a folder left half written has no broken experiment."""
    from ftrun.scaffold.draft import Paths, draft_experiment, persona

    prompt = _prompt_file(proposal, name)
    paths = Paths(
        data=_relative(data, target),
        prompt=prompt,
        held_out={role: [_relative(one, target) for one in files] for role, files in held_out.items()},
    )
    experiment = draft_experiment(proposal, name=name, paths=paths, trial=trial)
    texts = {target.parent / prompt: persona(proposal)} if prompt else {}
    return {**texts, target: experiment}


def _relative(path: Path, target: Path) -> str:
    return Path(os.path.relpath(path, target.parent.resolve())).as_posix()


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
    proposal: Proposal, name: str, target: Path, written: list[Path], copied: list[Path], notes: list[str]
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
        "copied": shown_path(copied[0]) if copied else None,
        "rows": proposal.rows,
        "format": file.format,
        "encoding": file.encoding or ("utf-8" if file.format in TEXT else None),
        "method": proposal.method,
        "columns": None if shape.columns is None else dict(shape.columns),
        "guessed": shape.guessed,
        "unused": list(proposal.unused),
        "held_out": {role: [path.name for path in paths] for role, paths in proposal.held_out.items()},
        "notes": notes,
        "next": [f"{program()} {words}{shlex.quote(config)}" for words in ("check ", "")],
    }


def _print(document: Mapping[str, Any], proposal: Proposal) -> None:
    rows = "conversation" if "group_by" in proposal.shape.source else "row"
    rows += "" if document["rows"] == 1 else "s"
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
