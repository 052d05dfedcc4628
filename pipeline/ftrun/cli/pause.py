"""`ftrun pause`: pause the experiment's job at a checkpoint. Takes no lock and changes no state."""

from __future__ import annotations

from pathlib import Path

import click

from ftrun.cli.options import experiment_options
from ftrun.cli.output import print_json


@click.command(name="pause")
@experiment_options
def command(
    config: Path, target: str | None, overrides: tuple[str, ...], runs_dir: Path | None, as_json: bool
) -> int:
    """Pause the experiment's job: it keeps its progress until `ftrun resume`.

    Not every server supports this: OpenAI pauses only reinforcement fine-tuning.
    """
    from ftrun.cli.command_lines import command_line
    from ftrun.cli.jobs import job_document, pause_or_resume
    from ftrun.runner import open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    job = pause_or_resume(session, "pause")
    if as_json:
        print_json(job_document(session, job))
    else:
        print(f"Job {job.id} is {job.status}. To resume it: {command_line(session, 'resume')}")
    return 0
