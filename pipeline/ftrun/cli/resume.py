"""`ftrun resume`: let a paused job go on. Takes no lock and changes no state."""

from __future__ import annotations

from pathlib import Path

import click

from ftrun.cli.failure import print_json
from ftrun.cli.options import experiment_options
from ftrun.errors import FtrunError


@click.command(name="resume")
@experiment_options
def command(
    config: Path, target: str | None, overrides: tuple[str, ...], runs_dir: Path | None, as_json: bool
) -> int:
    """Let the experiment's paused job go on from where it rested."""
    from ftrun.cli.jobs import cannot, job_document, job_id_of, service_of
    from ftrun.runner import open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    job_id = job_id_of(session)
    with service_of(session) as service:
        try:
            job = service.resume(job_id)
        except FtrunError as error:
            raise cannot(error, "resume") from error
    if as_json:
        print_json(job_document(session, job))
    else:
        print(f"Job {job_id} is {job.status}.")
    return 0
