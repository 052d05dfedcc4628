"""`ftrun state show|verify|repair|unlock`: look at and repair what ftrun remembers of an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ftrun.cli.interrupts import heed_signals
from ftrun.cli.options import experiment_options, lock_option
from ftrun.cli.output import print_json
from ftrun.cli.reporter import Reporter
from ftrun.errors import UsageError
from ftrun.text import readable, visible


@click.group(name="state")
def command() -> None:
    """Show, verify or repair what ftrun remembers of an experiment on a target."""


@command.command(name="show")
@experiment_options
def show(
    config: Path, target: str | None, overrides: tuple[str, ...], runs_dir: Path | None, as_json: bool
) -> int:
    """Show the verified state. Takes no lock and changes nothing."""
    from ftrun.runner import open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    state = session.state.to_json()
    if as_json:
        print_json(state)
    else:
        _print(state, session.store.shown())
    return 0


@command.command(name="verify")
@experiment_options
def verify(
    config: Path, target: str | None, overrides: tuple[str, ...], runs_dir: Path | None, as_json: bool
) -> int:
    """Check the state's format, checksum and owner, and that the target still has what it refers to.

    Exits with 0 if all is there, 1 if the target has lost something, 4 if the state can't be trusted.
    """
    from ftrun.runner import open_session
    from ftrun.runner.repair import missing_at_target

    heed_signals()
    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    missing = missing_at_target(session)
    document = {
        "state": session.store.shown(),
        "serial": session.state.serial,
        "lineage": session.state.lineage,
        "target_checked": missing is not None,
        "missing": missing or [],
    }
    if as_json:
        print_json(document)
    else:
        print(f"{document['state']}: intact, serial {document['serial']}")
        if missing is None:
            print("The target was not checked.")
        for one in missing or ():
            print(f"no longer at the target: {visible(one)}")
    return 1 if missing else 0


@command.command(name="repair")
@experiment_options
@lock_option
def repair(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    wait_for_lock: bool,
) -> int:
    """Repair a damaged state from its backup, from both sides of a merge, or from what the target has.

    The damaged file is kept. What can't be restored is looked for by the next run, which may ask you.
    """
    from ftrun.runner import locate_session
    from ftrun.runner.repair import repair as repair_state

    heed_signals()
    session = locate_session(config, target=target, overrides=overrides, runs=runs_dir)
    reporter = Reporter(quiet=as_json)
    document = repair_state(session, wait=wait_for_lock, emit=reporter)
    reporter.end()
    if as_json:
        print_json(document)
    elif document["source"] is None:
        print(f"{document['state']} is intact: nothing to repair.")
    else:
        print(f"Problem: {document['wrong']}")
        kept = f"; the damaged file was kept as {document['kept']}" if document["kept"] else ""
        print(f"{document['state']} was restored from {document['source']}{kept}")
    return 0


@command.command(name="unlock")
@experiment_options
@click.option("--id", "lock_id", required=True, help="The lock's id, as shown by the run that was refused.")
def unlock(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    lock_id: str,
) -> int:
    """Remove the lock that a dead run left on a remote state (`state:`). No other lock ever needs this."""
    from ftrun.runner import locate_session
    from ftrun.state.remote import RemoteStore

    session = locate_session(config, target=target, overrides=overrides, runs=runs_dir)
    store = session.store
    if not isinstance(store, RemoteStore) or not store.unlock(lock_id):
        raise UsageError(f"{store.shown('lock.json')}: there is no lock {lock_id}", code="no_lock")
    if as_json:
        print_json({"state": store.shown(), "unlocked": lock_id})
    else:
        print(f"{store.shown('lock.json')}: unlocked")
    return 0


def _print(state: dict[str, Any], path: str) -> None:
    print(f"{path}: serial {state['serial']}, lineage {state['lineage']}")
    for name, value in state["identity"].items():
        if value is not None:
            print(f"  {name:<13} {visible(readable(value))}")
    for upload in state["uploads"].values():
        print(f"  file          {visible(upload['file_id'])}  {visible(upload['name'])}")
    for job in state["jobs"].values():
        model = f"  {visible(job['fine_tuned_model'])}" if job["fine_tuned_model"] else ""
        print(f"  job           {visible(job['job_id'])}  {visible(job['status'])}{model}")
    for intent in state["intents"].values():
        print(f"  unclear call  {intent['id']}  {visible(intent['reason'] or intent['phase'])}")
