"""Record in the cache that a user accepted a model's licence. Standard library only."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from ftrun.engine.models.catalogue import BaseModel, find_model
from ftrun.engine.places import cache_home
from ftrun.errors import DecisionError
from ftrun.files import write_json

VARIABLE = "FTRUN_ACCEPT_GEMMA_TERMS"


def require_acceptance(model: str, *, accepted: bool = False) -> None:
    """Raise DecisionError if `model` has terms that nobody has accepted on this machine.

    `accepted` means that the user accepts them now (`accept_license: true`, `--accept`), which is recorded.
    """
    entry = find_model(model)
    if entry is None or is_accepted(entry):
        return
    if accepted or os.environ.get(VARIABLE) == "1":
        record_acceptance(entry)
        return
    raise DecisionError(
        f"{entry.title} has its own licence terms ({entry.license}). {entry.notice}",
        code="license_not_accepted",
        hint=f"To accept: `ftrun models --accept {entry.name}`, or `accept_license: true` in the target.",
    )


def record_acceptance(model: BaseModel) -> Path:
    """Record that the licence is accepted; return the path of the record."""
    path = _record(model)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(path, {"model": model.name, "license": model.license, "accepted_at": moment})
    return path


def is_accepted(model: BaseModel) -> bool:
    """Return whether the model needs no acceptance or has been accepted on this machine."""
    if not model.needs_acceptance:
        return True
    try:
        return bool(json.loads(_record(model).read_text(encoding="utf-8"))["model"] == model.name)
    except (OSError, ValueError, KeyError, TypeError):
        return False  # an unreadable record is not consent


def _record(model: BaseModel) -> Path:
    return cache_home() / f"accepted-{model.name}.json"
