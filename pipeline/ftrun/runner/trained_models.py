"""Finding the trained models that a user names: CONFIG, CONFIG@TARGET, either followed by #MODEL.

Reads states and archives, and asks no server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.errors import UsageError
from ftrun.experiment.places import shown_path
from ftrun.paid.history import archive_folder, history
from ftrun.runner.session import Session, no_model, open_session

SHORTEST = 4  # characters of a spec key that name a model


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """A trained model with its facts from the history, and the folder of its archive."""

    session: Session
    facts: dict[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        """Return a name for it that stays the same."""
        experiment = self.session.experiment
        config = shown_path(experiment.file)
        return f"{config}@{experiment.target.name}#{self.facts['spec_key'][:8]}"


def trained_models_of(words: Sequence[str], runs: Path | None) -> list[TrainedModel]:
    """Return the models that are named: the newest of an experiment, or one of its history (`#`).

    A single experiment means all models of its history. UsageError if fewer than two are found.
    """
    named = [entry for word in words for entry in _named(word, runs, whole=len(words) == 1)]
    found = list({entry.name: entry for entry in named}.values())
    if len(found) > 1:
        return found
    of = f": {found[0].name} is the only one that is named" if found else ""
    raise UsageError(
        f"a comparison needs two models{of}",
        code="nothing_to_compare",
        hint="Name another experiment, another target of this one (CONFIG@TARGET), or change the "
        "configuration and run it: the history then has two.",
    )


def _named(word: str, runs: Path | None, *, whole: bool) -> Iterator[TrainedModel]:
    config, target, wanted = _parts(word)
    session = open_session(config, target=target, runs=runs)
    trained = [
        TrainedModel(session=session, facts=facts, folder=archive_folder(session.folder, facts["spec_key"]))
        for facts in history(session.state, session.folder)
        if facts["fine_tuned_model"]
    ]
    if not trained:
        raise no_model(session)
    if wanted is not None:
        yield _chosen(word, wanted, trained)
    elif whole:
        yield from trained
    else:
        yield next((one for one in trained if one.facts["current"]), trained[-1])


def _parts(word: str) -> tuple[Path, str | None, str | None]:
    """Return CONFIG, TARGET and MODEL; a file that is called like the whole word is that file."""
    if Path(word).exists():
        return Path(word), None, None
    head, mark, model = word.rpartition("#")
    config = head if mark else word
    before, at, target = config.rpartition("@")
    if at and not Path(config).exists():
        return Path(before), target, model if mark else None
    return Path(config), None, model if mark else None


def _chosen(word: str, wanted: str, trained: Sequence[TrainedModel]) -> TrainedModel:
    found = [one for one in trained if _is(one.facts, wanted)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"#{one.facts['spec_key'][:8]}" for one in trained)
    raise UsageError(
        f"{word}: {len(found) or 'no'} models of the history are called {wanted!r}",
        code="unknown_model",
        hint=f"It has {names}. `ftrun history` lists them; a job id or a model id will do as well.",
    )


def _is(facts: dict[str, Any], wanted: str) -> bool:
    if wanted in (facts["job_id"], facts["fine_tuned_model"]):
        return True
    return len(wanted) >= SHORTEST and str(facts["spec_key"]).startswith(wanted)
