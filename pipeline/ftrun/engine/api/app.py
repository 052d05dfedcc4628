"""The FastAPI application: the API's routes, ftrun's own, and the guard in front of them."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI
from starlette.concurrency import run_in_threadpool

import ftrun
from ftrun.engine.api import batches, chat, embeddings, files, jobs, models, uploads
from ftrun.engine.api.batch_runs import BatchRuns
from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.errors import add_error_handlers
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


def create_app(parts: Services, runs: BatchRuns) -> FastAPI:
    """Return the application that serves `parts`, with the batches that `runs` answers."""
    app = FastAPI(title="ftrun engine", version=ftrun.__version__, openapi_url=None, redirect_slashes=False)
    app.state.services, app.state.batches = parts, runs
    for part in (files, uploads, jobs, models, chat, embeddings, batches):
        app.include_router(part.router)
    app.include_router(own_routes)
    add_error_handlers(app)
    app.add_middleware(RequestGuard, services=parts)
    return app
