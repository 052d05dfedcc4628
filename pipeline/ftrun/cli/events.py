"""`ftrun events`: show the events of the job; `-f` follows them until it ends."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftrun.cli.options import experiment_options
from ftrun.cli.output import json_text, print_json
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.targets import Event, Service

PAUSE = 1.0  # seconds between two requests
MOST = 100  # events per request


@click.command(name="events")
@experiment_options
@click.option("-f", "--follow", is_flag=True, help="Keep printing new events until the job ends.")
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    follow: bool,
) -> int:
    """Show the events of the experiment's job, oldest first."""
    from ftrun.cli.connection import service_of
    from ftrun.cli.jobs import job_id_of, own_job
    from ftrun.runner import open_session
    from ftrun.targets.service import READING

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    job_id = job_id_of(session)
    with service_of(session) as service:
        if not follow:
            service.end_within(READING)
        own_job(session, service, job_id)
        if follow:
            _follow(service, job_id, as_json)
        else:
            events = service.events(job_id, newest=MOST)
            if as_json:
                print_json({"events": [event.as_dict() for event in events]})
            for event in () if as_json else events:
                _show(event, as_json=False)
    return 0


def _follow(service: Service, job_id: str, as_json: bool) -> None:
    """Print new events until the job ends; each as a JSON line with --json."""
    seen: set[str] = set()
    while True:
        job = service.job(job_id)  # before its events: none of an ended job's are missed
        events = service.events(job_id, newest=MOST)
        for event in events:
            if event.id not in seen:
                _show(event, as_json=as_json)
        seen = {event.id for event in events}
        if job.succeeded or job.dead:
            return
        time.sleep(PAUSE)


def _show(event: Event, *, as_json: bool) -> None:
    if as_json:
        print(json_text(event.as_dict()), flush=True)
        return
    at = datetime.fromtimestamp(event.created_at).strftime("%H:%M:%S")
    level = "" if event.level == "info" else f"{event.level}: "
    print(f"{at}  {level}{visible(event.message)}", flush=True)
