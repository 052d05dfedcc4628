"""The prepared files are checked and counted; errors stop the run before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftrun import data
from ftrun.errors import DataError, Problem
from ftrun.files import write_json
from ftrun.paid.job_spec import is_trained
from ftrun.workflow.context import Context
from ftrun.workflow.stage import Stage

VERSION = 5
ROLES = ("train", "validation", "test")


class CheckStage(Stage):
    """Writes check.json."""

    name = "check"
    offline = True

    def applies(self, context: Context) -> bool:
        """Return whether the experiment has data to train on."""
        return context.experiment.trains

    def inputs(self, context: Context) -> dict[str, Any]:
        """Return the prepared files, the model whose limits and encoding count, and how bad findings are."""
        return {
            "check version": VERSION,
            "model": context.experiment.target.model,
            **data.severity_inputs(context.experiment),
            **{f"{role} data": context.sha(role) for role in ROLES},
        }

    def outputs(self, context: Context) -> tuple[str, ...]:
        """Return the file that the report is made of, where there is work to do."""
        return ("check.json",) if context.needs_files else ()

    def run(self, context: Context) -> dict[str, Any]:
        """Write check.json and report the warnings; DataError has every error found."""
        found = _examine(context)
        from ftrun.targets.known_languages import language_note  # a run with nothing to do needs no catalogue

        write_json(context.folder / "check.json", found)
        trained = is_trained(context)
        # of data that a model was trained on, errors no longer stop anything
        for warning in (*(found["errors"] if trained else ()), *found["warnings"]):
            context.emit("warning", **warning)
        for note in found["notes"]:
            context.emit("note", text=str(_problem(note)))
        for text in language_note(context.experiment, found.get("language")):
            context.emit("note", text=text)
        return _facts(found, trained=trained)

    def preview(self, context: Context, folder: Path) -> dict[str, Any]:
        """Check the files that were previewed, or those of the run."""
        return _facts(_examine(context), trained=is_trained(context))


def _examine(context: Context) -> dict[str, Any]:
    """Return the document of `check --json`, with the report's histograms."""
    result = data.check(context.experiment, context.prepared or context.folder)
    train = result.files.get("train")
    language = {} if result.language is None else {"language": result.language}
    return {**result.as_dict(), **(train.histograms() if train else {}), **language}


def _facts(found: Mapping[str, Any], *, trained: bool) -> dict[str, Any]:
    """Return what later stages need of a check; DataError for errors, unless a model is `trained` already."""
    if found["errors"] and not trained:
        raise DataError(
            f"errors in the data: {len(found['errors'])}; nothing was sent",
            problems=[_problem(error) for error in found["errors"]],
        )
    estimate = found["estimate"]
    return {
        "examples": estimate["examples"],
        "train_tokens": estimate["train_tokens"],
        "warnings": len(found["warnings"]),
        **({"language": found["language"]} if "language" in found else {}),
    }


def _problem(error: Mapping[str, Any]) -> Problem:
    return Problem(
        error["message"],
        code=error["code"],
        file=error.get("file"),
        line=error.get("line"),
        hint=error.get("hint"),
    )
