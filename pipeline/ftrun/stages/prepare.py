"""Sources become rows, rows chat examples, examples the files of a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftrun import data
from ftrun.paid.job_spec import is_trained
from ftrun.workflow.context import Context
from ftrun.workflow.decision import fingerprint
from ftrun.workflow.stage import Stage


class PrepareStage(Stage):
    """Writes train.jsonl, validation.jsonl and test.jsonl."""

    name = "prepare"
    offline = True

    def applies(self, context: Context) -> bool:
        """Return whether the experiment has data to train on."""
        return context.experiment.trains

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
        return self._files(context, context.folder)

    def preview(self, context: Context, folder: Path) -> dict[str, Any]:
        """Write the files into `folder`."""
        context.prepared = folder
        return self._files(context, folder)

    def _files(self, context: Context, folder: Path) -> dict[str, Any]:
        """Write the files; where older versions left out other near-duplicates, as they did, so that what was
        trained on stands.
        """
        prepared = data.prepare(context.experiment, folder, trained=is_trained(context))
        made = context.state.stages.get(self.name)
        if context.experiment.data.dedupe != "near" or made is None or self.forced(context):
            return prepared.to_dict()
        known = made.result.get("files")
        same = made.fingerprint == fingerprint(self.inputs(context))
        if not same or prepared.to_dict()["files"] == known:
            return prepared.to_dict()
        older = data.prepare(context.experiment, folder, near_by_letters=True)
        if older.to_dict()["files"] != known:
            older = data.prepare(context.experiment, folder)
        return older.to_dict()
