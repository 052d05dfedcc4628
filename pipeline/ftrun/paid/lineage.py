"""`train.continue_from`: from a model's id, or another experiment, to the model to start from."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ftrun.errors import ConfigError
from ftrun.experiment.places import shown_path
from ftrun.state import State
from ftrun.targets import same_account
from ftrun.workflow.context import Context


def starting_model(context: Context) -> str | None:
    """Return the model that training starts from, None for the base model.

    Another experiment stands for the model of its last finished job on a target of the same name.
    ConfigError when it has none, or has it in another account or store.
    """
    other = context.experiment.train.continue_from
    if not isinstance(other, Path):
        return other
    from ftrun.state.remote import store_at

    name, state = _name_and_state(context, other)
    target = context.experiment.target.name
    found = store_at(state, context.folder.parent.parent / name / target, name, target).load()
    model = _last_model(found) if found is not None else None
    if found is None or model is None:
        raise _problem(
            context,
            f"{shown_path(other)} has no finished model on target {context.experiment.target.name!r} yet",
            hint=f"First: ftrun run {shown_path(other)} --target {context.experiment.target.name}",
        )
    if not same_account(found.identity, context.state.identity):
        raise _problem(context, f"the model of {shown_path(other)} is in another account or store")
    return str(model)


def _last_model(state: State) -> str | None:
    """Return the model that an experiment has now or, where its last job failed or goes on, had before."""
    waited = state.stages.get("wait")
    if waited is not None and waited.result.get("fine_tuned_model"):
        return str(waited.result["fine_tuned_model"])
    finished = [job for job in state.jobs.values() if job.fine_tuned_model]
    last = max(finished, key=lambda job: job.finished_at or 0, default=None)
    return last.fine_tuned_model if last is not None else None


def _name_and_state(context: Context, other: Path) -> tuple[str, str | None]:
    try:
        name, state = _in(other, other.stat().st_mtime_ns)
    except OSError as error:
        raise _problem(context, f"{shown_path(other)} can't be read: {error.strerror}") from error
    if name is None:
        raise _problem(context, f"{shown_path(other)} is no experiment: it has no name")
    if name == context.experiment.name:
        raise _problem(
            context,
            "an experiment can't continue from itself: each run would be another job",
            hint="Give the model's id, or copy the experiment under another name.",
        )
    return name, state


@lru_cache(maxsize=8)
def _in(other: Path, _changed: int) -> tuple[str | None, str | None]:
    """Return an experiment's name, and where its state lies if not in its run folder."""
    from ftrun.experiment import read_document

    data = read_document(other).data
    name, state = (
        value if isinstance(value, str) else None for value in (data.get("name"), data.get("state"))
    )
    return name, state


def _problem(context: Context, message: str, hint: str | None = None) -> ConfigError:
    file, line, column = context.experiment.places.get(
        ("train", "continue_from"), (context.experiment.file, 1, 1)
    )
    where: dict[str, Any] = {"file": shown_path(file), "line": line, "column": column}
    return ConfigError(f"train.continue_from: {message}", code="continue_from", hint=hint, **where)
