"""Models that were deleted at their target, by `ftrun rm` or found missing: remembered beside their archive,
so that no command takes them for models that still answer, and none trains them again unasked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ftrun.errors import DecisionError, FtrunError
from ftrun.files import write_json
from ftrun.paid.history import archive_folder
from ftrun.paid.job_spec import spec_key
from ftrun.state import State, StateStore
from ftrun.targets import Service, same_account
from ftrun.targets.errors import get_or_none
from ftrun.targets.service import TRANSIENT
from ftrun.workflow.context import Context

MARK = "removed.json"
CODE = "model_removed"


def removed_at(run: Path, key: str, model: str | None) -> str | None:
    """Return when the model of this spec key was deleted or found missing (ISO 8601), None if it wasn't."""
    try:
        found = json.loads((archive_folder(run, key) / MARK).read_text(encoding="utf-8"))
        return str(found["at"]) if model is not None and found["model"] == model else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def mark_removed(state: State, run: Path, model: str) -> bool:
    """Remember that the model was deleted, if it is one of this state's; return whether it is."""
    keys = [key for key, job in state.jobs.items() if job.fine_tuned_model == model]
    for key in keys:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(archive_folder(run, key) / MARK, {"model": model, "at": at})
    return bool(keys)


def mark_removed_everywhere(runs: Path, identity: Mapping[str, Any], model: str) -> None:
    """Remember it for every experiment below `runs` that trained the model in this account or store."""
    for path in runs.glob("*/*/state.json"):
        try:
            state = StateStore(path.parent).load()
        except FtrunError:
            continue  # a damaged state is reported by the commands that need it
        if state is not None and same_account(state.identity, identity):
            mark_removed(state, path.parent, model)


def is_missing(service: Service, model: str) -> bool:
    """Return whether the server certainly has no such model: by its own word, and not in its list."""
    try:
        if get_or_none(service.model, model, certain=True) is not None:
            return False
        listed = service.models()
        return bool(listed) and all(one.id != model for one in listed)
    except FtrunError as error:
        if error.code in TRANSIENT:
            raise
        return False  # a server without models to list says nothing about one


def removed_now(context: Context) -> tuple[str, str] | None:
    """Return the model of the present configuration and when it was deleted, None if it wasn't."""
    key = spec_key(context)
    job = context.state.jobs.get(key)
    model = job.fine_tuned_model if job is not None else None
    at = removed_at(context.folder, key, model)
    return None if model is None or at is None else (model, at)


def removed_note(context: Context, model: str, at: str) -> str:
    """Return what to say of a deleted model where it isn't needed."""
    again = context.command("run", "--force", "train")
    return (
        f"the model {model} was deleted at the target (known since {at[:10]}); its recorded answers and its "
        f"report are kept. To train another{_cost(context)}: `{again}`"
    )


def removed_error(context: Context, model: str, at: str) -> DecisionError:
    """Return the error where a deleted model would have to answer."""
    again = context.command("run", "--force", "train")
    return DecisionError(
        f"the model {model} was deleted at the target (known since {at[:10]}), so it can't answer",
        code=CODE,
        hint=f"To train another{_cost(context)}: `{again}`. Its recorded answers and its report are kept.",
    )


def missing_error(context: Context, service: Service, model: str) -> DecisionError | None:
    """Remember and return the error that the present configuration's model is gone; None if it is not."""
    key = spec_key(context)
    job = context.state.jobs.get(key)
    if job is None or job.fine_tuned_model != model or not is_missing(service, model):
        return None
    mark_removed(context.state, context.folder, model)
    return removed_error(context, model, removed_at(context.folder, key, model) or "")


def _cost(context: Context) -> str:
    return "" if context.local else " (which costs money again)"
