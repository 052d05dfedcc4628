"""`ftrun status`: show the progress of an experiment, from its state and, if reachable, the target."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.command_lines import command_line
from ftrun.cli.interrupts import heed_signals
from ftrun.cli.jobs import own_job
from ftrun.cli.options import experiment_options
from ftrun.cli.output import print_json
from ftrun.errors import FtrunError
from ftrun.state.model import ENDED
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.evaluation.learning_curve.checkpoints import Checkpoint
    from ftrun.runner import Session


@click.command(name="status")
@experiment_options
def command(
    config: Path, target: str | None, overrides: tuple[str, ...], runs_dir: Path | None, as_json: bool
) -> int:
    """Show the progress of an experiment. Takes no lock and changes nothing."""
    from ftrun.runner import open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    document = status_of(session)
    if as_json:
        print_json(document)
    else:
        _print(document, session)
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownJob:
    """What is known of the job: by whom (the server, or the state of the last run) and when (UTC)."""

    id: str | None
    status: str | None = None
    model: str | None = None
    source: str | None = None
    at: str | None = None


def status_of(session: Session) -> dict[str, Any]:
    """Return what `status --json` prints."""
    job = _job(session)
    return {
        "experiment": session.experiment.name,
        "target": session.experiment.target.name,
        "stages": _stages(session, job),
        "job_id": job.id,
        "job_status": job.status,
        "job_status_from": job.source,
        "job_status_at": job.at,
        "fine_tuned_model": job.model,
        "model_removed": _removed(session, job.model),
        "checkpoints": [asdict(one) for one in _checkpoints(session)],
    }


def _removed(session: Session, model: str | None) -> str | None:
    """Return when the model was deleted at the target or found missing, None if it wasn't."""
    from ftrun.paid.removed_models import removed_at

    keys = [key for key, job in session.state.jobs.items() if model and job.fine_tuned_model == model]
    return next((at for key in keys if (at := removed_at(session.folder, key, model))), None)


def _stages(session: Session, job: KnownJob) -> dict[str, dict[str, Any]]:
    from ftrun.runner import context_of, make_plan

    plan = make_plan(context_of(session), remote=None)
    found: dict[str, dict[str, Any]] = {}
    for step in plan.steps:
        record = session.state.stages.get(step.stage)
        status = _status(step.stage, step.action, record.status if record else None, job.status)
        reasons = list(step.reasons)
        if step.stage == "wait" and step.action == "wait" and job.status is not None:
            reasons = [_wait_reason(job)]
        found[step.stage] = {"status": status, "reasons": reasons}
        if record and record.finished_at:
            found[step.stage] |= {"seconds": record.seconds, "finished_at": record.finished_at}
    return found


def _wait_reason(job: KnownJob) -> str:
    if job.status == "succeeded":
        return f"job {job.id} succeeded; the next run fetches its model and evaluates it"
    return f"job {job.id} is {job.status}"


def _status(stage: str, action: str, recorded: str | None, job_status: str | None) -> str:
    if action == "skip":
        return "done"
    if stage == "wait" and job_status is not None and job_status not in ENDED:
        return "running"
    if recorded == "failed" or action == "blocked":
        return "failed"
    return "stale" if recorded == "done" else "pending"


def _job(session: Session) -> KnownJob:
    """Return what is known of the job; asks the target until the job has ended.

    The answer takes the place of what the state, in memory alone, says of it: no stage is judged by an older
    status.
    """
    from ftrun.runner.present import present_job

    job_id = present_job(session)
    known = next((job for job in session.state.jobs.values() if job.job_id == job_id), None)
    if known is None:
        return KnownJob(id=job_id)
    live = None if known.status in ENDED else _ask(session, known.job_id)
    if live is not None:
        known.status, known.error = live.status, live.error or known.error
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return KnownJob(id=job_id, status=live.status, model=live.fine_tuned_model, source="server", at=now)
    times = [stage.finished_at for stage in session.state.stages.values() if stage.finished_at]
    return KnownJob(
        id=job_id,
        status=known.status,
        model=known.fine_tuned_model if known.status in ENDED else None,
        source="state",
        at=max(times, default=None),
    )


def _checkpoints(session: Session) -> tuple[Checkpoint, ...]:
    """Return the checkpoints of the trained model, as the last run found them."""
    from ftrun.evaluation.learning_curve.checkpoints import checkpoints_of
    from ftrun.evaluation.learning_curve.metric_rows import parse_metrics

    record, metrics = session.state.stages.get("wait"), session.folder / "metrics.csv"
    if record is None or record.status != "done" or not record.result.get("checkpoints"):
        return ()
    rows = parse_metrics(metrics.read_text(encoding="utf-8") if metrics.exists() else "")
    settings = record.result.get("hyperparameters") or {}
    return checkpoints_of(record.result["checkpoints"], rows, settings.get("n_epochs"))


def _ask(session: Session, job_id: str) -> Any:
    from ftrun.targets import reachable
    from ftrun.targets.service import READING

    heed_signals()
    service = reachable(session.experiment)
    if service is None:
        return None
    service.end_within(READING)
    try:
        return own_job(session, service, job_id)
    except FtrunError:
        return None  # then show what the state knows
    finally:
        service.close()


def _print(document: dict[str, Any], session: Session) -> None:
    print(f"{document['experiment']} on {document['target']}  ({session.folder})")
    for name, stage in document["stages"].items():
        print(f"  {stage['status']:<8} {name:<9} {visible('; '.join(stage['reasons']))}")
    if document["job_id"]:
        print(f"job   {document['job_id']}: {_job_status(document)}")
    if document["fine_tuned_model"]:
        print(f"model {document['fine_tuned_model']}")
    if document["model_removed"]:
        from ftrun.paid.removed_models import removed_note
        from ftrun.runner import context_of

        model, at = document["fine_tuned_model"], document["model_removed"]
        print(f"note: {removed_note(context_of(session), model, at)}")
    if document["checkpoints"]:
        for line in _checkpoint_lines(document["checkpoints"], session):
            print(line)


def _job_status(document: dict[str, Any]) -> str:
    """Return the job's status; where the server did not answer also since when it is known."""
    status = document["job_status"] or "unknown"
    if document["job_status_from"] == "state" and status not in ENDED and document["job_status_at"]:
        at = datetime.fromisoformat(document["job_status_at"]).strftime("%Y-%m-%d %H:%M")
        return f"was {status} at the last run, {at} UTC; the server can't be asked now"
    return str(status)


def _checkpoint_lines(found: list[dict[str, Any]], session: Session) -> Iterator[str]:
    from ftrun.report.words import loss, number

    yield "checkpoints:"
    width = max(len(visible(one["model"] or "-")) for one in found)
    for one in found:
        epoch = "" if one["epoch"] is None else f"  epoch {number(one['epoch'])}"
        measured = "" if one["valid_loss"] is None else f"  validation loss {loss(one['valid_loss'])}"
        best = "  (best)" if one["best"] else ""
        model = visible(one["model"] or "-")
        yield f"  {model:<{width}}  step {one['step']}{epoch}{measured}{best}"
    shown = next((one["model"] for one in found if one["best"] and one["model"]), found[-1]["model"])
    if shown and session.experiment.target.provider != "azure":  # there it must be deployed first
        model = shlex.quote(visible(shown))
        models = shlex.quote(f"eval.models=[tuned, {visible(shown)}]")
        yield f"  to talk to one:     {command_line(session, 'chat')} --with {model}"
        yield f"  to compare answers: {command_line(session)} --set {models}"
