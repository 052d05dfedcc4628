"""The prepared files are checked and counted; errors stop the run before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftrun import data
from ftrun.errors import DataError, Problem
from ftrun.files import write_json
from ftrun.targets import Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, by_fingerprint

NAME = "check"
VERSION = 5


def inputs(context: Context) -> dict[str, Any]:
    """Return the prepared files, the model whose limits and encoding count, and how bad findings are."""
    roles = ("train", "validation", "test")
    return {
        "check version": VERSION,
        "model": context.experiment.target.model,
        **data.severity_inputs(context.experiment),
        **{f"{role} data": context.sha(role) for role in roles},
    }


def outputs(context: Context) -> tuple[str, ...]:
    """Return the file that the report is made of, where there is work to do."""
    return ("check.json",) if context.needs_files else ()


def decide(context: Context, remote: Service | None) -> Decision:
    """Run when the prepared files or the model changed."""
    return by_fingerprint(context, NAME, inputs(context), outputs(context))


def costs(context: Context, decision: Decision) -> bool:
    """Tell that it costs nothing anywhere."""
    return False


def run(context: Context) -> dict[str, Any]:
    """Write check.json and tell the warnings; raise DataError with every problem found."""
    found = examine(context, context.folder)
    write_json(context.folder / "check.json", found)
    for warning in found["warnings"]:
        context.emit("warning", **warning)
    for note in found["notes"]:
        context.emit("note", text=str(_problem(note)))
    return facts(found)


def examine(context: Context, folder: Path) -> dict[str, Any]:
    """Return the document of `check --json` for the files in `folder`, with the report's histograms."""
    result = data.check(context.experiment, folder)
    train = result.files.get("train")
    return {**result.as_dict(), **(train.histograms() if train else {})}


def facts(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what later stages need of a check; DataError when it found errors."""
    if found["errors"]:
        raise DataError(
            f"the data have {len(found['errors'])} error(s); nothing was sent",
            problems=[_problem(error) for error in found["errors"]],
        )
    estimate = found["estimate"]
    return {
        "examples": estimate["examples"],
        "train_tokens": estimate["train_tokens"],
        "warnings": len(found["warnings"]),
    }


def _problem(error: Mapping[str, Any]) -> Problem:
    return Problem(
        error["message"],
        code=error["code"],
        file=error.get("file"),
        line=error.get("line"),
        hint=error.get("hint"),
    )
