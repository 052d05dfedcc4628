"""What to say about a command line that can't be understood: the nearest name, and the next step."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from ftrun.errors import UsageError
from ftrun.experiment.places import shown_path

# what people type for a command that has another name here
OTHER_WORDS = {
    "create": "init",
    "new": "init",
    "train": "run",
    "start": "run",
    "apply": "run",
    "validate": "check",
    "lint": "check",
    "logs": "events",
    "log": "events",
    "stop": "cancel",
    "list": "ls",
    "delete": "rm",
    "remove": "rm",
    "diff": "data",
    "costs": "ledger",
    "cost": "ledger",
    "talk": "chat",
    "ask": "chat",
}
WRONG_CHOICE = re.compile(r"'([^']*)' is not one of")
MOST = 3  # experiments that are proposed


def experiment_files() -> list[Path]:
    """Return the experiment files that a user in this folder may mean."""
    found = (path for pattern in ("configs/*.yaml", "*.yaml") for path in Path().glob(pattern))
    return sorted(path for path in found if not path.name.startswith("."))  # such as .pre-commit-config.yaml


def explained(error: click.UsageError) -> UsageError:
    """Return the error with a hint that says what was probably meant."""
    context = error.ctx
    message, hint = error.format_message(), f"Try `{context.command_path} --help`." if context else None
    if isinstance(error, click.NoSuchOption):
        message = error.message
        if error.possibilities and context:
            hint = (
                f"Did you mean `{error.possibilities[0]}`? `{context.command_path} --help` lists the options."
            )
    elif isinstance(error, click.exceptions.NoSuchCommand) and context:
        message, hint = error.message, _command_hint(error.command_name, context)
    elif (
        isinstance(error, click.MissingParameter) and context and error.param and error.param.name == "config"
    ):
        hint = _config_hint(context) or hint
    elif isinstance(error, click.BadParameter) and error.param and isinstance(error.param.type, click.Choice):
        hint = _choice_hint(message, error.param.type.choices) or hint
    return UsageError(message, code="usage", hint=hint)


def _choice_hint(message: str, choices: Sequence[object]) -> str | None:
    """Return the nearest of the values that the option takes; click only quotes the wrong one."""
    wrong = WRONG_CHOICE.search(message)
    near = difflib.get_close_matches(wrong[1], map(str, choices), n=1, cutoff=0.6) if wrong else []
    return f"Did you mean {near[0]}?" if near else None


def _command_hint(name: str, context: click.Context) -> str:
    group, program = context.command, context.command_path
    names = group.list_commands(context) if isinstance(group, click.Group) else []
    if program.count(" ") and (Path(name).suffix in (".yaml", ".yml") or Path(name).is_file()):
        verb = "show" if "show" in names else names[0]
        return f"Say what to do with it: `{program} {verb} {shlex.quote(name)}`."
    words = {
        **{word: one for word, one in OTHER_WORDS.items() if one in names},
        **{one: one for one in names},
    }
    near = difflib.get_close_matches(name.lower(), words, n=1, cutoff=0.6)
    files = {path.stem: path for path in experiment_files()} if program.count(" ") == 0 else {}
    meant = difflib.get_close_matches(name, files, n=1, cutoff=0.6)
    if meant and (not near or name in files):
        return f"Did you mean `{program} {shlex.quote(str(files[meant[0]]))}`?"
    if near:
        return f"Did you mean `{program} {words[near[0]]}`? `{program} --help` lists the commands."
    return f"`{program} --help` lists the commands."


def _config_hint(context: click.Context) -> str | None:
    """Return the call with an experiment of this folder; how to make one where there is none."""
    found = [shlex.quote(shown_path(path)) for path in experiment_files()]
    if not found:
        return "There is no experiment file here. `ftrun init DATA.csv` writes one for your data."
    if len(found) == 1:
        return f"For example: {context.command_path} {found[0]}"
    listed = ", ".join(found[:MOST])
    return f"Name an experiment file, such as {listed}. For example: {context.command_path} {found[0]}"
