"""/ftrun: what ftrun's commands and the engine's page ask beyond OpenAI's API. Pages and codes: `pages`."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool

import ftrun
from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.errors import not_found
from ftrun.engine.api.lookup import find_answering, find_job
from ftrun.engine.api.objects import job_object
from ftrun.engine.api.services import Services, services
from ftrun.engine.backends import AT_ONCE
from ftrun.engine.launch import WIRE
from ftrun.engine.models.catalogue import CATALOGUE
from ftrun.engine.models.number_format import format_setting
from ftrun.engine.store.progress import loss_curve, newest_messages, newest_step
from ftrun.language import localized
from ftrun.language.served_page import page_language

POINTS = 400  # of a curve: no screen shows more
MESSAGES = 100

router = APIRouter(prefix="/ftrun")
Use = Annotated[Services, Depends(services)]
Json = Annotated[Body, Depends(json_body)]


@router.get("/info")
async def info(use: Use) -> dict[str, Any]:
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


@router.post("/warm", status_code=202)
async def warm(use: Use, body: Json) -> dict[str, Any]:
    """Load a base model in the background; `warmed` is false where that would take much of the memory."""
    model = body.required_text("model")
    body.done()
    base, _ = await run_in_threadpool(find_answering, use, model)
    return {"model": model, "warmed": use.chats.warm(base)}


@router.get("/models")
def list_models(use: Use) -> dict[str, Any]:
    """List every name that can be asked: base models, aliases, tuned models and checkpoints, newest first."""
    tuned = use.store.models.newest()
    bases = {model.name: None for model in CATALOGUE} | {model.base: None for model in tuned}
    names = [
        *({"id": name, "kind": "base", "base": name} for name in bases),
        *({"id": one.name, "kind": "alias", "base": one.model} for one in use.store.aliases.all()),
        *({"id": one.id, "kind": one.kind, "base": one.base} for one in tuned),
    ]
    return {"object": "list", "data": names}


# `:path`, because a model tuned from a hub id has a slash in its name
@router.get("/models/{name:path}")
def retrieve_model(use: Use, name: str) -> dict[str, Any]:
    """Return where a tuned model is on this machine: its base model's name, and the adapter's folder."""
    model = use.store.models.get(name)
    if model is None:
        raise not_found("model", name, code="model_not_found", param="model")
    return {"id": model.id, "base": model.base, "folder": model.folder, "job_id": model.job_id}


@router.get("/jobs/{job_id}")
def retrieve_job(use: Use, job_id: str, lang: str | None = None) -> dict[str, Any]:
    """Return a job with its curve, its newest step, its checkpoints and its messages in a language."""
    job = find_job(use.store, job_id)
    database = use.store.database
    saved = use.store.jobs.checkpoints(job_id, limit=100, after=None).records
    events = newest_messages(database, job_id, limit=MESSAGES)
    return {
        "job": job_object(job),
        "newest": newest_step(database, job_id),
        "curve": loss_curve(database, job_id, points=POINTS),
        "checkpoints": [{"step": one.step, "model": one.name} for one in reversed(saved)],
        "messages": [
            {
                "id": one.id,
                "created_at": one.created_at,
                "level": one.level,
                "message": localized(one.message, page_language(lang)),
            }
            for one in events
        ],
    }


@router.post("/localized")
async def localize(body: Json) -> dict[str, Any]:
    """Return a message of the engine in another language, as far as it is known there."""
    text, language = body.required_text("text"), body.required_text("language")
    body.done()
    return {"text": localized(text, page_language(language))}
