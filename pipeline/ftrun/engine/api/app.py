"""The FastAPI application: the API's routes, ftrun's own, and the guard in front of them."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

import ftrun
from ftrun.engine.api import (
    batches,
    chat,
    completions,
    description,
    embeddings,
    files,
    graders,
    jobs,
    models,
    pages,
    responses,
    uploads,
)
from ftrun.engine.api.batch_runs import BatchRuns
from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.elsewhere import no_such_path, not_allowed
from ftrun.engine.api.errors import add_error_handlers, not_found
from ftrun.engine.api.guard import RequestGuard
from ftrun.engine.api.lookup import find_answering
from ftrun.engine.api.services import Services, services
from ftrun.engine.backends import AT_ONCE
from ftrun.engine.launch import WIRE
from ftrun.engine.models.number_format import format_setting

own_routes = APIRouter(prefix="/ftrun")


@own_routes.get("/info")
async def info(use: Annotated[Services, Depends(services)]) -> dict[str, Any]:
    """Return which engine this is, its jobs and aliases, and how long its models will be answering."""
    return {
        "wire": WIRE,
        "version": ftrun.__version__,
        "prefix": sys.prefix,
        "store": use.store.id,
        "pid": os.getpid(),
        "busy": await run_in_threadpool(lambda: use.busy),
        "jobs": await run_in_threadpool(use.store.jobs.counts),
        "aliases": {alias.name: alias.model for alias in await run_in_threadpool(use.store.aliases.all)},
        "at_once": AT_ONCE,
        "chats": use.chats.status(),
        "dtype": format_setting(),
    }


@own_routes.post("/warm", status_code=202)
async def warm(
    use: Annotated[Services, Depends(services)], body: Annotated[Body, Depends(json_body)]
) -> dict[str, Any]:
    """Load a base model in the background; `warmed` is false where that would take much of the memory."""
    model = body.required_text("model")
    body.done()
    base, _ = await run_in_threadpool(find_answering, use, model)
    return {"model": model, "warmed": use.chats.warm(base)}


# `:path`, because a model tuned from a hub id has a slash in its name
@own_routes.get("/models/{name:path}")
def tuned_model(use: Annotated[Services, Depends(services)], name: str) -> dict[str, Any]:
    """Return where a tuned model is on this machine: its base model's name, and the adapter's folder."""
    model = use.store.models.get(name)
    if model is None:
        raise not_found("model", name, code="model_not_found", param="model")
    return {"id": model.id, "base": model.base, "folder": model.folder, "job_id": model.job_id}


ROUTERS = (
    files.router,
    uploads.router,
    jobs.router,
    graders.router,
    models.router,
    chat.router,
    completions.router,
    responses.router,
    embeddings.router,
    batches.router,
    pages.router,
    description.router,
    own_routes,
)


def create_app(parts: Services, runs: BatchRuns) -> FastAPI:
    """Return the application that serves `parts`, with the batches that `runs` answers."""
    app = FastAPI(title="ftrun engine", version=ftrun.__version__, openapi_url=None, redirect_slashes=False)
    app.state.services, app.state.batches = parts, runs
    for router in ROUTERS:
        app.include_router(router)
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, Route)]
    absent = {404: partial(no_such_path, routes=routes), 405: partial(not_allowed, routes=routes)}
    add_error_handlers(app, absent)
    app.add_middleware(RequestGuard, services=parts)
    return app
