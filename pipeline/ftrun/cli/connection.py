"""Connect a command to the target it is about, after the user has agreed to what is sent there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftrun.cli.confirmation import asker
from ftrun.cli.interrupts import heed_signals
from ftrun.errors import FtrunError, UsageError

if TYPE_CHECKING:  # loaded in the commands: --help must be quick
    from ftrun.runner import Session
    from ftrun.runner.inventory import Owners
    from ftrun.targets import Service

LS_EXAMPLE = "ftrun ls jobs configs/hiroyuki.yaml --target openai"


def agree_in(session: Session, *, yes: bool = False, here: bool = False) -> None:
    """Have the user agree to what is sent to the target; DecisionError if nobody does.

    `here`: running the command is consent for servers on this machine. From now on the command may wait for a
    server, so it also handles Ctrl-C and SIGTERM.
    """
    from ftrun.targets import agree

    heed_signals()
    with session.named():
        agree(session.experiment, yes=yes, ask=asker(as_json=False), here=here)


@contextmanager
def service_of(session: Session, *, yes: bool = False) -> Iterator[Service]:
    """Yield the connection to the session's target; DecisionError if nobody agrees to send a key there."""
    from ftrun.targets import connect

    agree_in(session, yes=yes)
    service = connect(session.experiment, lambda text: click.echo(text, err=True))
    try:
        yield service
    finally:
        service.close()


@contextmanager
def inventory_of(
    config: Path | None, target: str | None, runs_dir: Path | None, *, yes: bool = False
) -> Iterator[tuple[Session, Service, Owners]]:
    """Yield the session, the connection and the owners of what is at a target, for `ls`, `rm` and `gc`.

    Without `config` it is the one target that the experiments in this folder share.
    """
    from ftrun.runner import open_session
    from ftrun.runner.inventory import owners
    from ftrun.targets import identity_of

    file = config if config is not None else only_experiment(target)
    session = open_session(file, target=target, runs=runs_dir)
    with service_of(session, yes=yes) as service:
        known = owners(session.folder.parent.parent, identity_of(session.experiment.target))
        known.add(session.state)  # the state may be stored elsewhere
        yield session, service, known


def only_experiment(target: str | None, *, example: str = LS_EXAMPLE) -> Path:
    """Return an experiment file of this folder; UsageError if it is not clear which target is meant.

    `example` is a command that says it.
    """
    from ftrun.experiment import build_experiment, read_document
    from ftrun.targets import identity_of

    found: dict[str, Path] = {}
    for file in sorted([*Path("configs").glob("*.yaml"), *Path().glob("*.yaml")]):
        try:
            experiment = build_experiment(read_document(file), target, validated=True)
        except (FtrunError, KeyError, TypeError, ValueError):
            continue  # not an experiment, or not one with this target
        found.setdefault(str(identity_of(experiment.target)), file)
    if len(found) == 1:
        return next(iter(found.values()))
    what = "the experiments here use several targets" if found else "there is no experiment file here"
    names = ", ".join(str(file) for file in found.values())
    raise UsageError(
        f"{what}: name the experiment whose target you mean" + (f" ({names})" if names else ""),
        code="no_target",
        hint=f"For example: {example}",
    )
