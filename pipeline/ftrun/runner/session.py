"""How a command starts: experiment, run folder and state, and whether they belong together."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.errors import DecisionError, FtrunError, UsageError
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.files import real, refuse_file, refuse_large, refuse_links, refuse_special_files
from ftrun.runner.validated import is_valid
from ftrun.state import State, StateStore
from ftrun.targets import hide_keys, identity_of, same_account

OTHER_STORE = "the state belongs to another local store: its jobs are not here, so they run again"
CONFIG = re.compile(r"(?<= )CONFIG(?=[ `.]|$)")  # in a command such as `ftrun events CONFIG`
OF_ALL = (".gitignore", ".gitattributes")  # what all experiments of `runs` share


@dataclass(slots=True, kw_only=True)
class Session:
    """An experiment with its run folder and state. `notes` are for the user, `overrides` are the values of
    --set, `options` are the words of --set and --runs-dir; `other_store`: the state's ids belonged to a local
    store that is not here.
    """

    experiment: Experiment
    digest: str
    folder: Path
    store: StateStore
    state: State
    notes: list[str]
    overrides: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    other_store: bool = False

    def reload(self) -> None:
        """Read the state (again under the lock); DecisionError if it is not this experiment's."""
        with self.named():
            self.state = self.store.load() or _new_state(self.experiment)
        _check_owner(self)
        _check_name(self)
        _check_identity(self)

    @contextmanager
    def locked(self, *, wait: bool) -> Iterator[None]:
        """Hold the run's lock; DecisionError (exit 4) names who holds it, `wait` waits for it instead."""
        with ExitStack() as stack:
            with self.named():
                stack.enter_context(self.store.locked(wait=wait))
            yield

    @contextmanager
    def named(self) -> Iterator[None]:
        """Make the commands in the hints of errors ready to be typed."""
        try:
            yield
        except FtrunError as error:
            words = (shown_path(self.experiment.file), "--target", self.experiment.target.name, *self.options)
            for problem in error.problems:
                problem.hint = problem.hint and CONFIG.sub(lambda _: shlex.join(words), problem.hint)
            raise


def open_session(
    config: Path,
    *,
    target: str | None = None,
    overrides: Sequence[str] = (),
    runs: Path | None = None,
    questions: Sequence[Path] = (),
) -> Session:
    """Load the experiment and its state; ConfigError or DecisionError. Writes nothing."""
    session = locate_session(config, target=target, overrides=overrides, runs=runs, questions=questions)
    session.reload()
    return session


def locate_session(
    config: Path,
    *,
    target: str | None = None,
    overrides: Sequence[str] = (),
    runs: Path | None = None,
    questions: Sequence[Path] = (),
) -> Session:
    """Load the experiment and locate its state, without reading it: it may be damaged. `questions` are files
    that are added to its `eval.prompts`.
    """
    document = read_document(config, overrides, questions=questions)
    folder = runs_folder(config, runs)
    for name in OF_ALL:
        refuse_file(folder / name)
        with contextlib.suppress(FileNotFoundError):
            refuse_large(folder / name, (folder / name).lstat().st_size)
    experiment = build_experiment(document, target, validated=is_valid(document.digest))
    hide_keys(experiment.targets)
    folder = folder / experiment.name / experiment.target.name
    refuse_links(folder)
    refuse_special_files(folder.parent)  # before anything is read or sent, not where it would be written
    return Session(
        experiment=experiment,
        digest=document.digest,
        folder=folder,
        store=_store(experiment, folder),
        state=_new_state(experiment),
        notes=[],
        overrides=tuple(overrides),
        options=_options(overrides, runs),
    )


def _store(experiment: Experiment, folder: Path) -> StateStore:
    """Return the store of the state: the run folder or, with `state:`, one that other machines share."""
    if experiment.state is None:
        return StateStore(folder)
    from ftrun.state.remote import store_at

    return store_at(experiment.state, folder, experiment.name, experiment.target.name)


def _options(overrides: Sequence[str], runs: Path | None) -> tuple[str, ...]:
    """Return the words of --set and --runs-dir, for commands that are shown."""
    words = [word for override in overrides for word in ("--set", override)]
    return (*words, *(("--runs-dir", str(runs)) if runs is not None else ()))


def no_data(experiment: Experiment) -> UsageError:
    """Return the error for an experiment that only evaluates, where a command is about data or training."""
    return UsageError(
        f"{experiment.name} has no `data`: it trains nothing and only evaluates",
        code="no_data",
        hint=f"To evaluate: ftrun eval {shlex.quote(shown_path(experiment.file))}",
    )


def refuse_targets_alone(experiment: Experiment) -> None:
    """Raise UsageError for a file that only names targets: it is for `--config` of other commands."""
    if experiment.trains or ("eval",) in experiment.places:
        return
    raise UsageError(
        f"{shown_path(experiment.file)} only defines targets: it has neither `data` nor `eval`, so there is "
        "nothing to do",
        code="targets_alone",
        hint="Use it as `--config FILE` of `ftrun import` and `ftrun port`, or add `data` and `prompt`.",
    )


def no_model(session: Session) -> UsageError:
    """Return the error for an experiment that has no trained model on its target."""
    experiment = session.experiment
    if not experiment.trains:
        return no_data(experiment)
    return UsageError(
        f"{experiment.name} on {experiment.target.name} has no trained model yet",
        code="no_model",
        hint=f"ftrun run {shlex.quote(shown_path(experiment.file))} --target {experiment.target.name}",
    )


def runs_folder(config: Path, given: Path | None) -> Path:
    """Return the folder `runs`: as given, $FTRUN_RUNS_DIR, or in the project of the experiment file.

    A folder that the user names may be a link; `runs` in a project may not, as a repository can bring it.
    """
    if given is not None:
        return real(given)
    named = os.environ.get("FTRUN_RUNS_DIR")
    if named:
        return real(Path(named).expanduser())
    parent = config.absolute().parent
    return real(parent.parent if parent.name == "configs" else parent) / "runs"


def _new_state(experiment: Experiment) -> State:
    return State(
        experiment=experiment.name,
        target=experiment.target.name,
        file=_relative(experiment),
        identity=identity_of(experiment.target),
    )


def _relative(experiment: Experiment) -> str:
    return os.path.relpath(experiment.file, experiment.project)


def _check_owner(session: Session) -> None:
    """Refuse the state of another experiment or target, copied or moved here."""
    experiment, state = session.experiment, session.state
    if (state.experiment, state.target) == (experiment.name, experiment.target.name):
        return
    raise DecisionError(
        f"{session.store.shown()} belongs to {state.experiment!r} on {state.target!r}, not to "
        f"{experiment.name!r} on {experiment.target.name!r}; no call was made",
        code="foreign_state",
        file=session.store.shown(),
        hint="Move it back where it came from. Without it the next run finds its uploads and its job at the "
        "target, if there are any.",
    )


def _check_name(session: Session) -> None:
    """Refuse two experiment files of one name in a project."""
    mine, other = _relative(session.experiment), session.state.file
    other_path = session.experiment.project / other
    if mine == other or not other_path.is_file() or other_path.samefile(session.experiment.file):
        session.state.file = mine
        return
    try:
        same = read_document(other_path).data.get("name") == session.experiment.name
    except FtrunError:
        same = False  # a file that can't be read has no name
    if not same:
        session.state.file = mine
        return
    raise DecisionError(
        f"{other} and {mine} are both named {session.experiment.name!r}: they would share their state",
        code="same_name",
        file=str(session.experiment.file),
        hint="Change the `name:` of one of them.",
    )


def _check_identity(session: Session) -> None:
    """Refuse another account; start again at another local store."""
    now, then = identity_of(session.experiment.target), session.state.identity
    if now == then or same_account(now, then):
        return
    if now["provider"] == then.get("provider") == "local":
        session.other_store = then.get("store") is not None
        if session.other_store:
            _note(session, OTHER_STORE)
            session.state.forget_remote()
        session.state.identity = now
        return
    raise DecisionError(
        f"the state belongs to {_words(then)}, this run would use {_words(now)}; no call was made",
        code="other_account",
        file=session.store.shown(),
        hint="Use the first account again, or rename this target to start again there.",
    )


def _note(session: Session, text: str) -> None:
    if text not in session.notes:
        session.notes.append(text)


def _words(identity: dict[str, Any]) -> str:
    parts = [str(value) for value in identity.values() if value]
    return " / ".join(parts)
