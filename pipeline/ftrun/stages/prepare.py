"""Sources become rows, rows chat examples, examples the files of a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftrun import data
from ftrun.workflow.context import Context
from ftrun.workflow.stage import Stage


class PrepareStage(Stage):
    """Writes train.jsonl, validation.jsonl and test.jsonl."""

    name = "prepare"
    offline = True

    def inputs(self, context: Context) -> dict[str, Any]:
        """Return the content of the sources, and the configuration of data and prompt."""
        return data.prepare_inputs(context.experiment)

    def outputs(self, context: Context) -> tuple[str, ...]:
        """Return the files of the split, where a later stage could still need them."""
        files = context.result(self.name).get("files", {})
        sent = (file["sha256"] for role, file in files.items() if role != "test")
        uploaded = all(sha in context.state.uploads for sha in sent)
        if uploaded and not context.local and not context.needs_files:
            return ()  # a fresh clone has the state, not the files: without work to do nothing needs them
        return tuple(f"{role}.jsonl" for role in files)

    def run(self, context: Context) -> dict[str, Any]:
        """Write the files."""
        return data.prepare(context.experiment, context.folder).to_dict()

    def preview(self, context: Context, folder: Path) -> dict[str, Any]:
        """Write the files into `folder`."""
        context.prepared = folder
        return data.prepare(context.experiment, folder).to_dict()
