"""/v1/models: built-in models, aliases and tuned models. Checkpoints are found by name, but not listed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from ftrun.engine.api.errors import ApiError
from ftrun.engine.api.lookup import unknown_model
from ftrun.engine.api.objects import alias_object, base_model_object, tuned_model_object
from ftrun.engine.api.services import Services, services
from ftrun.engine.models.catalogue import CATALOGUE, find_model

router = APIRouter(prefix="/v1/models")
Use = Annotated[Services, Depends(services)]


@router.get("")
def list_models(use: Use) -> dict[str, Any]:
    """List the built-in models, the aliases and the tuned models."""
    aliases = map(alias_object, use.store.aliases.all())
    tuned = map(tuned_model_object, use.store.models.all())
    return {"object": "list", "data": [*map(base_model_object, CATALOGUE), *aliases, *tuned]}


# `:path`, because a model tuned from a hub id has a slash in its name
@router.get("/{name:path}")
def retrieve(use: Use, name: str) -> dict[str, Any]:
    """Return a model or a checkpoint."""
    tuned, base = use.store.models.get(name), find_model(name)
    if tuned is not None:
        return tuned_model_object(tuned)
    if base is not None:
        return base_model_object(base)
    alias = next((alias for alias in use.store.aliases.all() if alias.name == name), None)
    if alias is None:
        raise unknown_model(use.store, name)
    return alias_object(alias)


@router.delete("/{name:path}")
def delete(use: Use, name: str) -> dict[str, Any]:
    """Delete a tuned model or a checkpoint."""
    if find_model(name) is not None:
        raise ApiError(f"'{name}' is built in and can't be deleted.", status=403, code="model_not_owned")
    model = use.store.models.get(name)
    if model is None:
        if use.store.aliases.get(name) is not None:
            message = f"'{name}' is an alias: `ftrun serve --alias {name}=` removes it."
            raise ApiError(message, status=403, code="model_not_owned")
        raise unknown_model(use.store, name)
    use.store.models.delete(model)
    return {"id": name, "object": "model", "deleted": True}
