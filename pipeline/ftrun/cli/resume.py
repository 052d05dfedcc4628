"""`ftrun resume`: let a paused job go on. Takes no lock and changes no state."""

from __future__ import annotations

from pathlib import Path

import click

from ftrun.cli.failure import print_json
from ftrun.cli.options import experiment_options


@click.command(name="resume")
@experiment_options
def command(
    config: Path, target: str | None, overrides: tuple[str, ...], runs_dir: Path | None, as_json: bool
) -> int:
    """Let the experiment's paused job go on from where it rested."""
    from ftrun.cli.jobs import job_document, told_to
    from ftrun.runner import open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    job = told_to(session, "resume")
    if as_json:
        print_json(job_document(session, job))
    else:
        print(f"Job {job.id} is {job.status}.")
    return 0
