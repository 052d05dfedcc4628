"""`ftrun resume`: resume the experiment's paused job. Takes no lock and changes no state."""

from __future__ import annotations

from pathlib import Path

import click

from ftrun.cli.options import experiment_options
from ftrun.cli.output import print_json


@click.command(name="resume")
@experiment_options
def command(
    config: Path, target: str | None, overrides: tuple[str, ...], runs_dir: Path | None, as_json: bool
) -> int:
    """Resume the experiment's job from where it was paused."""
    from ftrun.cli.jobs import job_document, pause_or_resume
    from ftrun.runner import open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    job = pause_or_resume(session, "resume")
    if as_json:
        print_json(job_document(session, job))
    else:
        print(f"Job {job.id} is {job.status}.")
    return 0
