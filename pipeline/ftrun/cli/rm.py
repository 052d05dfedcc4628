"""`ftrun rm ID`: delete a file or tuned model at a target, after saying which experiment it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftrun.cli.confirmation import confirm
from ftrun.cli.connection import inventory_of
from ftrun.cli.options import remote_options
from ftrun.cli.output import print_json
from ftrun.errors import DecisionError, UsageError

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.runner import Session
    from ftrun.runner.inventory import InventoryEntry, Owners
    from ftrun.targets import Job, Service


@click.command(name="rm")
@click.argument("thing", metavar="ID")
@remote_options
@click.option("--yes", is_flag=True, help="Delete without asking.")
def command(
    thing: str, config: Path | None, target: str | None, runs_dir: Path | None, as_json: bool, yes: bool
) -> int:
    """Delete a file or a tuned model at a target. Asks first, and says which experiment it belongs to.

    No service deletes jobs; given a job, it offers to delete its model.
    """
    with inventory_of(config, target, runs_dir, yes=yes) as (session, service, known):
        if _remove_deployment(session, thing, yes, as_json):
            return 0
        entry = _find(service, thing, known)
        if entry is None:
            raise UsageError(
                f"The target has no file, job or model {thing!r}.",
                code="not_found",
                hint="`ftrun ls files`, `ftrun ls jobs` and `ftrun ls models` list what it has.",
            )
        if entry.kind == "file":
            _refuse_in_use(service, entry.id)
            _warn_of_a_run(entry)
        _ask(entry, yes, as_json)
        (service.delete_file if entry.kind == "file" else service.delete_model)(entry.id)
        if entry.kind == "model":
            _remember(session, entry.id)
    if as_json:
        print_json({"deleted": entry.id, "kind": entry.kind, "owner": entry.owner})
    else:
        print(f"Deleted the {entry.kind} {entry.id}.")
    return 0


def _remember(session: Session, model: str) -> None:
    """Remember, for every experiment of the project that trained the model, that it was deleted."""
    from ftrun.paid.removed_models import mark_removed, mark_removed_everywhere
    from ftrun.targets import identity_of

    mark_removed(session.state, session.folder, model)  # the state may be stored elsewhere
    mark_removed_everywhere(session.folder.parent.parent, identity_of(session.experiment.target), model)


def _remove_deployment(session: Session, thing: str, yes: bool, as_json: bool) -> bool:
    """Remove the deployment named `thing` from the target's resource; return whether there was one."""
    where = session.experiment.target.deployment
    if where is None or where.subscription is None or thing.startswith(("file-", "ftjob-", "ft:")):
        return False
    from ftrun.paid.deployments import removed, running
    from ftrun.runner import RunSettings, locked_context
    from ftrun.targets.azure import Deployments

    management = Deployments(where, session.experiment.target.name)
    try:
        if management.state(thing) is None:
            return False
        confirm(f"Remove the deployment {thing}? Its model stays.", yes=yes, as_json=as_json)
        with locked_context(session, RunSettings(), lambda kind, **data: None) as context:
            management.down(thing)
            facts = running(context)
            if facts is not None and facts["deployment"] == thing:
                removed(context, facts)
    finally:
        management.close()
    if as_json:
        print_json({"deleted": thing, "kind": "deployment", "owner": None})
    else:
        print(f"Removed the deployment {thing}.")
    return True


def _find(service: Service, thing: str, known: Owners) -> InventoryEntry | None:
    """Return the file or model with this id; for a job, its model."""
    from ftrun.runner.inventory import file_entry, model_entry
    from ftrun.targets import get_or_none

    # a model's id may look like anything
    job = None if thing.startswith(("file-", "ft:")) else _job(service, thing)
    if job is not None:
        return _model_of(job, service, known)
    file = None if thing.startswith("ft:") else get_or_none(service.look_at_file, thing)
    if file is not None:
        return file_entry(file, known)
    model = get_or_none(service.model, thing)
    return model_entry(model, None, known) if model is not None else None


def _refuse_in_use(service: Service, file_id: str) -> None:
    """Refuse to delete a file that a job is still using: the job was paid for."""
    for job in service.jobs():
        if file_id in (job.training_file, job.validation_file) and not (job.succeeded or job.dead):
            raise DecisionError(
                f"Job {job.id} ({job.status}) is still using {file_id}; nothing was deleted.",
                code="in_use",
                hint="Wait until it ends, or cancel it first: ftrun cancel CONFIG JOB_ID",
            )


def _warn_of_a_run(entry: InventoryEntry) -> None:
    """Warn that a run of another clone may be about to use the file."""
    from ftrun.runner.inventory import fresh

    if entry.owner is None and entry.made_by is not None:
        for file, why in fresh([entry]).items():
            words = f"warning: {file}: {why}. If a run is about to create its job from it, that will fail."
            click.echo(words, err=True)


def _job(service: Service, thing: str) -> Job | None:
    from ftrun.targets import ServiceError, get_or_none

    try:
        return get_or_none(service.job, thing)
    except ServiceError as error:
        if error.code == "refused":  # an id of a form that no job of this server has
            return None
        raise


def _model_of(job: Job, service: Service, known: Owners) -> InventoryEntry:
    from ftrun.runner.inventory import model_entry
    from ftrun.targets import get_or_none

    stays = f"{job.id} is a job, and jobs can't be deleted"
    if not (job.succeeded or job.dead):
        raise UsageError(
            f"{stays}; this one is {job.status}.", code="job_stays", hint="To stop it: ftrun cancel CONFIG"
        )
    model = get_or_none(service.model, job.fine_tuned_model) if job.fine_tuned_model else None
    if model is None:
        raise UsageError(f"{stays}. It has no model to delete.", code="job_stays")
    click.echo(f"{stays}. Its model {model.id} can be deleted.", err=True)
    return model_entry(model, job, known)


def _ask(entry: InventoryEntry, yes: bool, as_json: bool) -> None:
    uses = {
        "file": "its next run uploads it again",
        "model": "getting it back means paying for its training again",
    }[entry.kind]
    whose = f"It belongs to {entry.owner}: {uses}." if entry.owner else "No state of this project knows it."
    confirm(f"Delete the {entry.kind} {entry.id}? {whose}", yes=yes, as_json=as_json)
