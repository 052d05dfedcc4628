"""The model that training continued from stays behind, unless the experiment that made it was ported."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.errors import FtrunError
from ftrun.experiment import read_document
from ftrun.experiment.nodes import get_in
from ftrun.experiment.places import absolute, shown_path
from ftrun.experiment.target import Target
from ftrun.paid.job_spec import last_model
from ftrun.runner.porting.mapping import Mapped, service_name
from ftrun.runner.session import Session
from ftrun.state import State
from ftrun.state.remote import store_at

KEY = "train.continue_from"
ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sibling:
    """An experiment file of the folder: its name, what it extends, where its state is, and the model that it
    was imported with.
    """

    file: Path
    name: str
    extends: Path | None = None
    state: str | None = None
    imported: str | None = None


def start_mapping(session: Session, new: Target, given: Mapping[str, Any]) -> Mapped | None:
    """Return what becomes of `train.continue_from`; None where training starts from the base model."""
    experiment = session.experiment
    start = experiment.train.continue_from
    before = None if start is None else str(start)
    if "continue_from" in given:
        return Mapped.chosen(KEY, before, given["continue_from"])
    if start is None:
        return None
    siblings = list(_siblings(experiment.file))
    earlier = _earlier(session, siblings, start)
    if earlier is None:
        service = service_name(experiment.target)
        return Mapped.refused(
            KEY,
            before,
            f"only {service} has this model, and no experiment in this folder made it",
            hint=(
                "Import its job with `ftrun import` and port that first; or train from the base model: "
                f"--set {KEY}=null"
            ),
        )
    ported = next((one for one in _ports(earlier, siblings) if _model_on(session, one, new.name)), None)
    if ported is not None:
        reason = "the earlier experiment was ported: its model on the new target"
        path = ported.file.name if ported.file.parent == experiment.file.parent else str(ported.file)
        return Mapped.changed(KEY, before, path, reason)
    command = shlex.join(["ftrun", "port", shown_path(earlier.file), "--to", new.name])
    name = earlier.name
    return Mapped.refused(
        KEY,
        before,
        f"the model of {name}, which has none on the new target yet",
        hint=f"First: {command}. Then run this command again. Or train from the base model: --set {KEY}=null",
    )


def _siblings(file: Path) -> Iterator[Sibling]:
    """Yield the experiments of the folder that can be read."""
    for path in sorted(one for one in file.parent.iterdir() if one.suffix in ENDINGS):
        found = _sibling(path)
        if found is not None:
            yield found


def _sibling(path: Path) -> Sibling | None:
    try:
        data = read_document(path).data
    except FtrunError:
        return None
    name, extends, state = (get_in(data, key) for key in ("name", "extends", "state"))
    if not isinstance(name, str):
        return None
    imported = None if isinstance(extends, str) else get_in(data, "imported", "fine_tuned_model")
    return Sibling(
        file=path,
        name=name,
        extends=absolute(path.parent / extends) if isinstance(extends, str) else None,
        state=state if isinstance(state, str) else None,
        imported=imported if isinstance(imported, str) else None,
    )


def _earlier(session: Session, siblings: list[Sibling], start: str | Path) -> Sibling | None:
    """Return the experiment whose model training started from."""
    if isinstance(start, Path):
        return _sibling(start)
    target = session.experiment.target.name
    own = session.experiment.file
    return next((one for one in siblings if one.file != own and start in _models(session, one, target)), None)


def _models(session: Session, sibling: Sibling, target: str) -> Iterator[str]:
    """Yield the models that an experiment has, or had, on a target."""
    if sibling.imported is not None:
        yield sibling.imported
    state = _state(session, sibling, target)
    for job in state.jobs.values() if state is not None else ():
        if job.fine_tuned_model:
            yield job.fine_tuned_model


def _ports(earlier: Sibling, siblings: list[Sibling]) -> Iterator[Sibling]:
    """Yield the files that may hold the earlier experiment on another target: itself, and what extends it."""
    yield earlier
    yield from (one for one in siblings if one.extends == earlier.file)


def _model_on(session: Session, sibling: Sibling, target: str) -> str | None:
    state = _state(session, sibling, target)
    return None if state is None else last_model(state)


def _state(session: Session, sibling: Sibling, target: str) -> State | None:
    runs = session.folder.parent.parent
    try:
        return store_at(sibling.state, runs / sibling.name / target, sibling.name, target).load()
    except FtrunError:
        return None  # damaged, or not reachable: as if there were none


def tuned_model(session: Session) -> str | None:
    """Return the tuned model that the experiment has on its target, by its state or by its import."""
    imported = session.experiment.imported
    return last_model(session.state) or (None if imported is None else imported.fine_tuned_model)
