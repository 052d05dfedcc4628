"""Which target `ls`, `rm` and `gc` mean: that of CONFIG, else the one target of the project here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.errors import FtrunError, UsageError

if TYPE_CHECKING:  # loaded in the commands: --help must be quick
    from ftrun.runner import Session
    from ftrun.runner.inventory import Owners
    from ftrun.targets import Service


def remote_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add CONFIG (optional), --target, --runs-dir and --json."""
    options = [
        click.argument("config", type=click.Path(path_type=Path), required=False),
        click.option("--target", metavar="T", help="The target to use, instead of the file's `target`."),
        click.option(
            "--runs-dir", type=click.Path(path_type=Path), help="Where runs/ is, if not in the project."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def opened(
    config: Path | None, target: str | None, runs_dir: Path | None, *, yes: bool = False
) -> Iterator[tuple[Session, Service, Owners]]:
    """Yield session and connection of the target that is meant, and who owns what there."""
    from ftrun.cli.jobs import service_of
    from ftrun.runner import open_session
    from ftrun.runner.inventory import owners
    from ftrun.targets import identity_of

    file = config if config is not None else _only_experiment(target)
    session = open_session(file, target=target, runs=runs_dir)
    with service_of(session, yes=yes) as service:
        known = owners(session.folder.parent.parent, identity_of(session.experiment.target))
        known.add(session.state)  # which may lie elsewhere
        yield session, service, known


def _only_experiment(target: str | None) -> Path:
    """Return an experiment file of this folder; UsageError where it is not clear which target is meant."""
    from ftrun.experiment import build_experiment, read_document
    from ftrun.targets import identity_of

    found: dict[str, Path] = {}
    for file in sorted([*Path("configs").glob("*.yaml"), *Path().glob("*.yaml")]):
        try:
            experiment = build_experiment(read_document(file), target, validated=True)
        except (FtrunError, KeyError, TypeError, ValueError):
            continue  # no experiment, or none with this target
        found.setdefault(str(identity_of(experiment.target)), file)
    if len(found) == 1:
        return next(iter(found.values()))
    what = "several targets are in use here" if found else "no experiment file is here"
    names = ", ".join(str(file) for file in found.values())
    raise UsageError(
        f"{what}: name the experiment whose target you mean" + (f" ({names})" if names else ""),
        code="no_target",
        hint="Such as: ftrun ls jobs configs/hiroyuki.yaml --target openai",
    )
