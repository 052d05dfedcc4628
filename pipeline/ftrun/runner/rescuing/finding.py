"""Which experiments of the current folder have a tuned model whose answers can be recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ftrun.errors import FtrunError, UsageError
from ftrun.evaluation.rescued_files import FOLDER
from ftrun.experiment import read_document
from ftrun.experiment.model import Experiment
from ftrun.runner.apply import context_of
from ftrun.runner.experiment_files import experiment_files
from ftrun.runner.rescuing.questions import tuned_spec
from ftrun.runner.session import Session, runs_folder

Open = Callable[[Path, str | None], Session]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRescued:
    """An experiment without a tuned model, or a file that isn't an experiment, and why."""

    config: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An experiment that can't be opened, and the error."""

    config: Path
    error: FtrunError


@dataclass(slots=True, kw_only=True)
class FoundExperiments:
    """The experiments to rescue, those that are not rescued, and those that can't be opened."""

    sessions: list[Session] = field(default_factory=list)
    skipped: list[NotRescued] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


def find_named(configs: Iterable[Path], target: str | None, open_it: Open) -> FoundExperiments:
    """Return the experiments that a person named, each once."""
    found = FoundExperiments()
    for config in dict.fromkeys(configs):
        try:
            found.sessions.append(open_it(config, target))
        except FtrunError as error:
            found.unreadable.append(Unreadable(config=config, error=error))
    return found


def find_all(target: str | None, open_it: Open) -> FoundExperiments:
    """Return every experiment under `configs/` and `imported/configs/` of the current folder, on `target` or
    on those of its targets where it has a tuned model; UsageError if there is no file.
    """
    files = experiment_files()
    if not files:
        raise UsageError(
            "there is no experiment under configs/ or imported/configs/ of this folder",
            code="no_experiments",
            hint="Go to the project's folder, name the experiment files, or import your jobs first: "
            "`ftrun import --all`.",
        )
    found = FoundExperiments()
    for file in files:
        _look_into(file, target, open_it, found)
    return found


def _look_into(file: Path, target: str | None, open_it: Open, found: FoundExperiments) -> None:
    try:
        data = read_document(file).data
    except FtrunError as error:
        found.unreadable.append(Unreadable(config=file, error=error))
        return
    targets = data.get("targets")
    names = list(targets) if isinstance(targets, dict) else []
    if not isinstance(data.get("name"), str):
        found.skipped.append(NotRescued(config=file, reason="not an experiment: it has no `name`"))
    elif target is not None and names and target not in names:
        found.skipped.append(NotRescued(config=file, reason=f"it has no target {target!r}"))
    else:
        usual = target if target is not None else data.get("target")
        asked = names if target is None and len(names) > 1 else [target]
        _look_at_targets(file, asked, usual, open_it, found)


def _look_at_targets(
    file: Path, asked: Sequence[str | None], usual: object, open_it: Open, found: FoundExperiments
) -> None:
    """Add the experiment on each target where it has a tuned model; without any, why it isn't rescued. A
    model of this machine, which nobody takes away, is left out where the experiment's own target is another
    one.
    """
    before = len(found.sessions) + len(found.unreadable)
    reason = "no tuned model for its current data and settings"
    for name in asked:
        try:
            session = open_it(file, name)
        except FtrunError as error:
            if error.code == "targets_alone":
                found.skipped.append(NotRescued(config=file, reason="it only defines targets"))
                return
            if name in (None, usual) or _is_remembered(file, name):
                found.unreadable.append(Unreadable(config=file, error=error))
            continue
        local, own = session.experiment.target.provider == "local", name in (None, usual)
        if local and not own:
            continue
        if (local or not own) and _replaces_recorded(session.experiment):  # elsewhere it has the old model
            reason = "its model was trained here to replace one that is recorded"
            continue
        if has_model(session):
            found.sessions.append(session)
    if len(found.sessions) + len(found.unreadable) == before:
        found.skipped.append(NotRescued(config=file, reason=reason))


def _is_remembered(file: Path, target: str | None) -> bool:
    """Return whether an experiment of the project has a state on that target."""
    return any(runs_folder(file, None).glob(f"*/{target}/state.json"))


def _replaces_recorded(experiment: Experiment) -> bool:
    """Return whether an experiment compares its model with one whose answers were rescued, as `port` writes
    it.
    """
    recorded = (one.answers for one in experiment.evaluation.candidates if one.answers is not None)
    return any(one.parent.name == FOLDER for one in recorded)


def has_model(session: Session) -> bool:
    """Return whether the state, or the file, names a tuned model."""
    return tuned_spec(context_of(session)) is not None
