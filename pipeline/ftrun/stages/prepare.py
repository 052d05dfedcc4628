"""Sources become rows, rows chat examples, examples the files of a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftrun import data
from ftrun.targets import Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, by_fingerprint

NAME = "prepare"


def inputs(context: Context) -> dict[str, Any]:
    """Return the content of the sources, and the configuration of data and prompt."""
    return data.prepare_inputs(context.experiment)


def outputs(context: Context) -> tuple[str, ...]:
    """Return the files of the split, where a later stage could still need them."""
    sent = (file["sha256"] for role, file in _files(context).items() if role != "test")
    uploaded = all(sha in context.state.uploads for sha in sent)
    if uploaded and not context.local and not context.needs_files:
        return ()  # a fresh clone has the state, not the files: without work to do nothing needs them
    return tuple(f"{role}.jsonl" for role in _files(context))


def _files(context: Context) -> dict[str, Any]:
    return dict(context.result(NAME).get("files", {}))


def decide(context: Context, remote: Service | None) -> Decision:
    """Run when the data or the prompt changed."""
    return by_fingerprint(context, NAME, inputs(context), outputs(context))


def costs(context: Context, decision: Decision) -> bool:
    """Tell that it costs nothing anywhere."""
    return False


def run(context: Context) -> dict[str, Any]:
    """Write train.jsonl, validation.jsonl and test.jsonl."""
    return prepare_into(context, context.folder)


def prepare_into(context: Context, folder: Path) -> dict[str, Any]:
    """Write the prepared files into `folder` and return the facts about them."""
    return data.prepare(context.experiment, folder).to_dict()
