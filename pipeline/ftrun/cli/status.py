"""`ftrun status`: show the progress of an experiment, from its state and, if reachable, the target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.interrupts import heed_signals
from ftrun.cli.jobs import own_job
from ftrun.cli.options import experiment_options
from ftrun.cli.output import print_json
from ftrun.errors import FtrunError
from ftrun.state.model import ENDED
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
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


def status_of(session: Session) -> dict[str, Any]:
    """Return what `status --json` prints."""
    job_id, job_status, model = _job(session)
    return {
        "experiment": session.experiment.name,
        "target": session.experiment.target.name,
        "stages": _stages(session, job_status),
        "job_id": job_id,
        "job_status": job_status,
        "fine_tuned_model": model,
        "model_removed": _removed(session, model),
    }


def _removed(session: Session, model: str | None) -> str | None:
    """Return when the model was deleted at the target or found missing, None if it wasn't."""
    from ftrun.paid.removed_models import removed_at

    keys = [key for key, job in session.state.jobs.items() if model and job.fine_tuned_model == model]
    return next((at for key in keys if (at := removed_at(session.folder, key, model))), None)


def _stages(session: Session, job_status: str | None) -> dict[str, dict[str, Any]]:
    from ftrun.runner import context_of, make_plan

    plan = make_plan(context_of(session), remote=None)
    found: dict[str, dict[str, Any]] = {}
    for step in plan.steps:
        record = session.state.stages.get(step.stage)
        status = _status(step.stage, step.action, record.status if record else None, job_status)
        found[step.stage] = {"status": status, "reasons": list(step.reasons)}
        if record and record.finished_at:
            found[step.stage] |= {"seconds": record.seconds, "finished_at": record.finished_at}
    return found


def _status(stage: str, action: str, recorded: str | None, job_status: str | None) -> str:
    if action == "skip":
        return "done"
    if stage == "wait" and job_status is not None and job_status not in ENDED:
        return "running"
    if recorded == "failed" or action == "blocked":
        return "failed"
    return "stale" if recorded == "done" else "pending"


def _job(session: Session) -> tuple[str | None, str | None, str | None]:
    """Return the id, status and model of the job; asks the target until the job has ended."""
    from ftrun.runner.present import present_job

    job_id = present_job(session)
    known = next((job for job in session.state.jobs.values() if job.job_id == job_id), None)
    if known is None:
        return job_id, None, None
    if known.status in ENDED:
        return job_id, known.status, known.fine_tuned_model
    live = _ask(session, known.job_id)
    return (job_id, live.status, live.fine_tuned_model) if live else (job_id, known.status, None)


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
        print(f"job   {document['job_id']}: {document['job_status'] or 'unknown'}")
    if document["fine_tuned_model"]:
        print(f"model {document['fine_tuned_model']}")
    if document["model_removed"]:
        from ftrun.paid.removed_models import removed_note
        from ftrun.runner import context_of

        model, at = document["fine_tuned_model"], document["model_removed"]
        print(f"note: {removed_note(context_of(session), model, at)}")
