"""Write a port: its experiment file and what belongs to it. What a person changed is never overwritten."""

from __future__ import annotations

import shlex
from pathlib import Path

from ftrun.errors import DecisionError
from ftrun.experiment.places import absolute, shown_path
from ftrun.files import make_folder, refuse_file, write_atomic
from ftrun.runner.porting.changes import differences, read_changes
from ftrun.runner.porting.port import Port, PortSettings
from ftrun.runner.session import Session
from ftrun.state import StateStore


def write_port(port: Port, settings: PortSettings, session: Session) -> bool:
    """Write the new file, with the files that belong to it, and return whether it was written: not where it
    says the same already. DecisionError if one of another content is there.
    """
    config = session.experiment.file
    again = settings.command(config)
    _refuse_other_runs(port, session.folder.parent.parent, again)
    _refuse_other_file(port, config, again)
    missing = [one for one in port.files if not one.path.exists()]
    for one in port.files:
        if one not in missing and (not one.path.is_file() or one.path.read_bytes() != one.content):
            raise DecisionError(
                "the file exists with another content; it stays as it is",
                code="port_exists",
                file=shown_path(one.path),
                hint=f"To port under another name: {again} --name OTHER",
            )
    for one in missing:
        make_folder(one.path.parent)
        write_atomic(one.path, one.content)
    if port.path.exists():
        return False
    write_atomic(port.path, port.text)
    return True


def _refuse_other_runs(port: Port, runs: Path, again: str) -> None:
    """Raise a DecisionError if the runs of that name are those of another experiment file."""
    experiment = port.experiment
    for path in sorted((runs / experiment.name).glob("*/state.json")):
        state = StateStore(path.parent).load()
        other = None if state is None else experiment.project / state.file
        if other is not None and other.is_file() and absolute(other) != absolute(port.path):
            name = experiment.name
            raise DecisionError(
                f"another experiment of this project is called {name}; it stays as it is",
                code="port_exists",
                file=shown_path(other),
                hint=f"Choose another name: {again} --name OTHER",
            )


def _refuse_other_file(port: Port, config: Path, again: str) -> None:
    """Raise a DecisionError if the file is there and says something else; `again` is the command, to which
    another name can be added.
    """
    refuse_file(port.path)
    if not port.path.exists():
        return
    before, shown = read_changes(port.path), shown_path(port.path)
    if before == port.changes:
        return
    if before is None or before.get("extends") != port.changes["extends"]:
        raise DecisionError(
            f"the file exists and is not a port of {shown_path(config)}; it stays as it is",
            code="port_exists",
            file=shown,
            hint=f"Choose another name: {again} --name OTHER",
        )
    different, run = "; ".join(differences(before, port.changes)), shlex.join(["ftrun", shown])
    raise DecisionError(
        f"the file exists and says otherwise: {different}. It stays as it is",
        code="port_exists",
        file=shown,
        hint=f"To run it as it is: {run}. To port again with the new values: {again} --name OTHER",
    )
