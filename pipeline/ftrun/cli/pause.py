"""`ftrun pause`: let the experiment's job rest at a checkpoint. Takes no lock and changes no state."""

from __future__ import annotations

from pathlib import Path

import click

from ftrun.cli.failure import print_json
from ftrun.cli.options import experiment_options


@click.command(name="pause")
@experiment_options
def command(
    config: Path, target: str | None, overrides: tuple[str, ...], runs_dir: Path | None, as_json: bool
) -> int:
    """Pause the experiment's job: it keeps what it has trained and rests until `ftrun resume`.

    Not every server can: OpenAI knows it for reinforcement fine-tuning only.
    """
    from ftrun.cli.jobs import job_document, told_to
    from ftrun.cli.run import comeback
    from ftrun.runner import open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    job = told_to(session, "pause")
    if as_json:
        print_json(job_document(session, job))
    else:
        print(f"Job {job.id} is {job.status}. It goes on with: {comeback(session, command='resume')}")
    return 0
