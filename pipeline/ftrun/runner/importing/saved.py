"""What of an account is saved here: imported files, experiments, recorded answers, and last uses."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftrun.errors import FtrunError
from ftrun.evaluation.rescued_files import recorded_models
from ftrun.experiment.places import shown_path
from ftrun.files import refuse_file
from ftrun.runner.experiment_files import PROJECTS
from ftrun.runner.importing.file_store import JOURNAL, origin_of, read_journal
from ftrun.runner.importing.names import known_imports
from ftrun.state import State, StateStore
from ftrun.targets import same_account


@dataclass(slots=True, kw_only=True)
class Saved:
    """What of an account is saved here: files that were imported, experiment files by job id, dates of
    recorded answers and of last uses by model.
    """

    files: set[str] = field(default_factory=set)
    experiments: dict[str, str] = field(default_factory=dict)
    recorded: dict[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)

    def note_use(self, model: str, day: str) -> None:
        """Note that a model answered on a day."""
        self.used[model] = max(day, self.used.get(model, ""))


def saved_here(folder: Path, identity: Mapping[str, Any]) -> Saved:
    """Return what is saved in the current folder and in `folder`, where an import goes."""
    refuse_file(folder / JOURNAL)
    known = known_imports(folder / "configs")
    experiments = {job_id: shown_path(one.path) for job_id, one in known.items()}
    saved = Saved(experiments=experiments, files=_imported_files(folder, identity))
    projects = dict.fromkeys(one.resolve() for one in (*map(Path, PROJECTS), folder))
    for recorded in (found for one in projects for found in recorded_models(one / "configs")):
        saved.recorded[recorded.model] = shown_path(recorded.answers)
        saved.note_use(recorded.model, recorded.day)
    states = (path for one in projects for path in sorted(one.glob("runs/*/*/state.json")))
    for path in filter(Path.is_file, states):
        with contextlib.suppress(FtrunError):
            state = StateStore(path.parent).load() if _was_evaluated(path) else None
            if state is not None and same_account(state.identity, identity):
                _read_state(state, saved)
    return saved


def _was_evaluated(path: Path) -> bool:
    """Return whether a state has scores, so that it is worth being verified: imported ones have none."""
    try:
        return bool(json.loads(path.read_bytes())["stages"]["evaluate"]["result"]["metrics"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _imported_files(folder: Path, identity: Mapping[str, Any]) -> set[str]:
    """Return the ids of the files that were imported and are still in the folder."""
    there = {path.stem for path in (folder / "configs" / "data").glob("*")}
    origin = origin_of(identity)
    return {
        file.file_id
        for whose, file in read_journal(folder / JOURNAL)
        if whose == origin and file.sha256 in there
    }


def _read_state(state: State, saved: Saved) -> None:
    """Note when the model that was evaluated last answered."""
    record, waited = state.stages.get("evaluate"), state.stages.get("wait")
    if record is None or waited is None or not record.finished_at or not record.result.get("metrics"):
        return
    model = waited.result.get("fine_tuned_model")
    if isinstance(model, str):
        saved.note_use(model, record.finished_at[:10])
