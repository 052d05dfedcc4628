"""Write an imported job as an experiment that counts as done: its run folder, and its file, not yet named.

The experiment file is the mark that a job is imported: it gets its name last (`committing`). Whatever a kill
leaves before that is written again by the next import. Asks no server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ftrun.errors import ConfigError, FtrunError
from ftrun.evaluation.learning_curve.fit import explain
from ftrun.evaluation.learning_curve.metric_rows import parse_metrics
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.files import (
    delete,
    make_folder,
    refuse_links,
    unsynced,
    write_atomic,
    write_json,
)
from ftrun.paid.history import METRICS, archive, archive_of
from ftrun.paid.job_spec import attempt_of, spec, spec_key
from ftrun.runner.apply import Outcome, record_stage, run_stage
from ftrun.runner.importing.committing import clean
from ftrun.runner.importing.jobs import used_hyperparameters
from ftrun.runner.importing.writing import Draft, experiment_text
from ftrun.stages import stages_of
from ftrun.state import JobRecord, State, StateStore, Upload
from ftrun.text import without_formulas
from ftrun.workflow.context import Context

NO_METRICS = "step,train_loss,train_accuracy,valid_loss\n"
EVENTS, JOB = "events.jsonl", "job.json"
NOT_EVALUATED: Mapping[str, Any] = {"metrics": {}, "verdict": None, "gates": [], "asked": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedJob:
    """A job to record, with everything that was fetched of it; can be pickled.

    `config` is the experiment file, `existing`: it is there and stays as it is. `identity` is whose ids these
    are, `metrics` the text of the result file.
    """

    draft: Draft
    config: Path
    runs: Path
    identity: Mapping[str, Any]
    metrics: str | None
    events: tuple[Mapping[str, Any], ...]
    checkpoints: tuple[Mapping[str, Any], ...]
    existing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """What happened to a job: `notes` for people, or the `code` and `message` of why it failed.

    `staged` is the experiment file that is to get its name once everything is durable; None: it has it.
    """

    notes: tuple[str, ...] = field(default=())
    staged: Path | None = None
    code: str | None = None
    message: str | None = None


class _Unsaved(StateStore):
    """Keeps a state in memory while stages are recorded one after the other; the last one saves it."""

    def save(self, state: State, *, no_way_back: bool = False) -> None:
        """Save nothing yet."""


def record(fetched: FetchedJob) -> RecordResult:
    """Write a job's experiment; what is wrong with this one is in the result."""
    staged = fetched.config.with_name(f".{fetched.draft.name}.yaml.tmp")
    try:
        with unsynced():
            write_atomic(staged, experiment_text(fetched.draft))
            return _record(fetched, staged)
    except ConfigError as error:
        failed = RecordResult(code="job_values", message=_refusal(error))
    except FtrunError as error:
        failed = RecordResult(code=error.code, message=str(error))
    delete(staged)
    return failed


def _refusal(error: ConfigError) -> str:
    """Return in one line which of the job's values an experiment can't have, and why."""
    problems = dict.fromkeys(problem.message.splitlines()[0] for problem in error.problems)
    return f"the job has values that an experiment file can't have: {'; '.join(problems)}"


def _record(fetched: FetchedJob, staged: Path) -> RecordResult:
    experiment = _moved(build_experiment(read_document(staged), fetched.draft.target), staged, fetched.config)
    folder = fetched.runs / experiment.name / experiment.target.name
    refuse_links(folder)
    clean(folder, deep=True)
    context, saved = _context(fetched, experiment, folder)
    _adopt(fetched, context)
    _write_files(fetched, context)
    notes = tuple(_do_stages(fetched, context))
    archive(context, answers=False)
    _keep_beside(fetched, archive_of(context))
    saved.save(context.state)
    if fetched.existing:
        delete(staged)
    return RecordResult(notes=notes, staged=None if fetched.existing else staged)


def _moved(experiment: Experiment, staged: Path, config: Path) -> Experiment:
    """Return the experiment as it is called once `staged` is in its place; read is what is there now."""
    places = {
        key: (config if file == staged else file, line, column)
        for key, (file, line, column) in experiment.places.items()
    }
    return replace(experiment, file=config, places=places)


def _context(fetched: FetchedJob, experiment: Experiment, folder: Path) -> tuple[Context, StateStore]:
    """Return a context with a new state, and the store that it is saved to at the end."""
    store = StateStore(folder)
    found = store.load()
    state = State(
        experiment=experiment.name,
        target=experiment.target.name,
        file=str(fetched.config.relative_to(experiment.project)),
        identity=dict(fetched.identity),
    )
    if found is not None:  # of an import that was killed: it stays the same state
        state.lineage, state.serial = found.lineage, found.serial
    context = Context(
        experiment=experiment,
        folder=folder,
        state=state,
        store=_Unsaved(folder),
        emit=lambda kind, **data: None,
    )
    return context, store


def _adopt(fetched: FetchedJob, context: Context) -> None:
    """Let the state have the job and its files; the files' hashes are known before they are prepared."""
    job, draft = fetched.draft.job, fetched.draft
    files = {"train": draft.training, "validation": draft.validation}
    there = {role: file for role, file in files.items() if file is not None}
    context.fresh["prepare"] = {"files": {role: {"sha256": file.sha256} for role, file in there.items()}}
    context.state.uploads.update(
        (file.sha256, Upload(file_id=file.file_id, name=file.name, bytes=file.bytes))
        for file in there.values()
    )
    context.state.jobs[spec_key(context)] = JobRecord(
        job_id=job.id,
        status=job.status,
        attempt=attempt_of(context),
        fine_tuned_model=job.fine_tuned_model,
        adopted=True,
        created_at=job.created_at,
        finished_at=job.finished_at,
        trained_tokens=job.trained_tokens,
        hyperparameters=used_hyperparameters(job),
        spec={name: value for name, value in spec(context).items() if value is not None},
    )


def _write_files(fetched: FetchedJob, context: Context) -> None:
    """Write what training found, as its stage does; an experiment that can't train has it, too."""
    make_folder(context.folder)
    metrics = NO_METRICS if fetched.metrics is None else without_formulas(fetched.metrics)
    write_atomic(context.folder / METRICS, metrics)
    write_atomic(context.folder / EVENTS, _lines(fetched.events))


def _lines(events: tuple[Mapping[str, Any], ...]) -> str:
    return "".join(f"{json.dumps(event, ensure_ascii=False)}\n" for event in events)


def _do_stages(fetched: FetchedJob, context: Context) -> list[str]:
    """Do the stages that need no server, and record of the others what they would find."""
    notes: list[str] = []
    facts = _facts(fetched, context)
    for stage in stages_of(context):
        left = [name for name in stage.outputs(context) if not (context.folder / name).exists()]
        if stage.offline or left:
            run_stage(stage, context, Outcome(), None)
            context.fresh.pop(stage.name, None)
        elif stage.name in facts:
            record_stage(stage, context, "done", facts[stage.name])
    found = context.folder / "check.json"
    errors = json.loads(found.read_bytes()).get("errors", ()) if found.exists() else ()
    if errors:
        shown = shown_path(fetched.config)
        notes.append(f"errors in the data by today's checks: {len(errors)}; ftrun check {shown} shows them")
    return notes


def _facts(fetched: FetchedJob, context: Context) -> dict[str, dict[str, Any]]:
    """Return what the stages that ask a server would find, by name."""
    job, draft = fetched.draft.job, fetched.draft
    rows = parse_metrics(fetched.metrics or "")
    fit = explain(rows) if rows else None
    files = {"train": draft.training, "validation": draft.validation}
    return {
        "upload": {role: file.file_id for role, file in files.items() if file is not None},
        "train": {"job_id": job.id},
        "wait": {
            "job_id": job.id,
            "spec": spec_key(context),
            "fine_tuned_model": job.fine_tuned_model,
            "trained_tokens": job.trained_tokens,
            "hyperparameters": used_hyperparameters(job),
            "seed": job.seed,
            "created_at": job.created_at,
            "finished_at": job.finished_at,
            "checkpoints": [dict(point) for point in fetched.checkpoints],
            **({"dtype": job.dtype} if context.local and job.dtype else {}),
        },
        "evaluate": dict(NOT_EVALUATED),
        "report": {"fit": fit.verdict if fit else None, "sentence": fit.sentence if fit else None},
    }


def _keep_beside(fetched: FetchedJob, folder: Path) -> None:
    """Archive what git should keep and no stage archives: the job as the server described it, its events."""
    make_folder(folder)
    job = {**fetched.draft.job.document, "checkpoints": [dict(one) for one in fetched.checkpoints]}
    write_json(folder / JOB, job)
    write_atomic(folder / EVENTS, _lines(fetched.events))
    metrics = folder / METRICS
    if not metrics.exists() and fetched.metrics is not None:  # of an experiment that can't train
        write_atomic(metrics, without_formulas(fetched.metrics))
