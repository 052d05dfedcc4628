"""The FastAPI application: the API's routes, ftrun's own, and the guard in front of them."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI
from starlette.routing import Route

import ftrun
from ftrun.engine.api import description, files, graders, jobs, models, own, pages, uploads
from ftrun.engine.api.asking import chat, completions, embeddings, responses
from ftrun.engine.api.batches import routes as batches
from ftrun.engine.api.batches.runs import BatchRuns
from ftrun.engine.api.elsewhere import no_such_path, not_allowed
from ftrun.engine.api.errors import add_error_handlers
from ftrun.engine.api.guard import RequestGuard
from ftrun.engine.api.services import Services

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
    own.router,
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
