"""Which base model and which adapter the name of a model in a request stands for."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ftrun.engine.api.errors import ApiError, not_found
from ftrun.engine.api.job_request import check_base_model
from ftrun.engine.api.services import Services


class Answering(NamedTuple):
    """What answers: a base model, and the folder of an adapter if it is a tuned model or a checkpoint."""

    base: str
    adapter: Path | None


def find_answering(use: Services, model: str) -> Answering:
    """Return what answers for a model's name; ApiError (404) if nothing does. Reads the store and files."""
    tuned = use.store.models.get(model)
    if tuned is not None:
        found = Answering(tuned.base, tuned.path)
    elif model.startswith("ft:"):
        raise not_found("model", model, code="model_not_found", param="model")
    else:
        found = Answering(model, None)
    check_base(found.base)
    return found


def check_base(base: str) -> None:
    """Raise ApiError unless `base` is a base model that can answer."""
    try:
        check_base_model(base)
    except ApiError as error:
        if error.code == "model_not_found":
            error.status = 404  # as in the API; for a job it is a 400
        raise
