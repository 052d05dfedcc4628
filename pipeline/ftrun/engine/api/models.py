"""/v1/models: the built-in and the tuned models. Checkpoints are found by name, but not listed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from ftrun.engine.api.errors import ApiError, not_found
from ftrun.engine.api.objects import base_model_object, tuned_model_object
from ftrun.engine.api.services import Services, services
from ftrun.engine.models.catalogue import CATALOGUE, find_model

router = APIRouter(prefix="/v1/models")
Use = Annotated[Services, Depends(services)]


@router.get("")
def list_models(use: Use) -> dict[str, Any]:
    """List the built-in and the tuned models."""
    tuned = [tuned_model_object(model) for model in use.store.models.all()]
    return {"object": "list", "data": [*map(base_model_object, CATALOGUE), *tuned]}


# `:path`, because a model tuned from a hub id has a slash in its name
@router.get("/{name:path}")
def retrieve(use: Use, name: str) -> dict[str, Any]:
    """Return a model or a checkpoint."""
    tuned, base = use.store.models.get(name), find_model(name)
    if tuned is not None:
        return tuned_model_object(tuned)
    if base is None:
        raise not_found("model", name, code="model_not_found", param="model")
    return base_model_object(base)


@router.delete("/{name:path}")
def delete(use: Use, name: str) -> dict[str, Any]:
    """Delete a tuned model or a checkpoint."""
    if find_model(name) is not None:
        raise ApiError(f"'{name}' is built in and can't be deleted.", status=403, code="model_not_owned")
    model = use.store.models.get(name)
    if model is None:
        raise not_found("model", name, code="model_not_found", param="model")
    use.store.models.delete(model)
    return {"id": name, "object": "model", "deleted": True}
