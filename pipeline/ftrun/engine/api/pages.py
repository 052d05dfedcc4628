"""`/`, the engine's page, and /ftrun/pages, the one-time codes that open it.

The page itself holds no data and needs no token. It gets the token for a one-time code, or from its reader.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.errors import ApiError
from ftrun.engine.api.lookup import find_answering
from ftrun.engine.api.services import Services, services
from ftrun.engine.web.opening import LONGEST_SECONDS, MOST_MODELS
from ftrun.language.served_page import page_language, served_page

SCRIPTS = ("page.js", "curve.js", "jobs.js", "playground.js")
CODE_SECONDS = 60  # how long a code is valid, unless the request says otherwise

router = APIRouter()
Use = Annotated[Services, Depends(services)]
Json = Annotated[Body, Depends(json_body)]


@router.get("/", include_in_schema=False)
async def page(lang: str | None = None) -> Response:
    """Return the page, in a language that it is asked for in or the server's."""
    content, policy = _page(page_language(lang))
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return Response(content, media_type="text/html", headers=headers)


@cache
def _page(language: str) -> tuple[bytes, str]:
    return served_page("ftrun.engine.web", language, SCRIPTS)


@router.post("/ftrun/pages", status_code=201)
async def issue(use: Use, body: Json) -> dict[str, Any]:
    """Keep what a page is to show, and return the code that opens it once."""
    seconds = body.integer("seconds", least=1, most=LONGEST_SECONDS) or CODE_SECONDS
    facts = {
        "title": body.text("title", longest=200),
        "models": await run_in_threadpool(_models, use, body),
        "system": body.text("system"),
        "sampling": _sampling(body),
        "prompts": _texts(body, "prompts"),
    }
    body.done()
    return {"code": use.pages.issue(facts, seconds), "expires_in": seconds}


@router.post("/ftrun/pages/open")
async def open_page(use: Use, body: Json) -> dict[str, Any]:
    """Return the engine's token and what the page shows, for a code that nobody has used; needs no token."""
    facts = use.pages.take(body.required_text("code"))
    body.done()
    if facts is None:
        raise ApiError(
            "This code was used already, or has expired.", status=404, code="not_found", param="code"
        )
    return {"token": use.token, "page": facts}


@router.get("/ftrun/pages/{code}/waiting")
async def look(use: Use, code: str) -> dict[str, Any]:
    """Return whether a code still waits for a browser."""
    return {"waiting": use.pages.waits(code)}


def _models(use: Services, body: Body) -> list[dict[str, str]]:
    """Return the models to show side by side: what each is called, and its name here; ApiError (404) if there
    is none of that name.
    """
    readers = body.objects("models")
    if len(readers) > MOST_MODELS:
        body.refuse("models", f"must be a list of at most {MOST_MODELS} models.")
    found = []
    for reader in readers:
        label, model = reader.required_text("label"), reader.required_text("model")
        reader.done()
        find_answering(use, model)
        found.append({"label": label, "model": model})
    return found


def _sampling(body: Body) -> dict[str, float]:
    sampling = body.object("sampling") or Body({})
    found = {
        "temperature": sampling.number("temperature", least=0, most=2),
        "top_p": sampling.number("top_p", least=0, most=1),
        "max_tokens": sampling.integer("max_tokens", least=1, most=2**31 - 1),
        "seed": sampling.integer("seed", least=0, most=2**31 - 1),
    }
    sampling.done()
    return {name: value for name, value in found.items() if value is not None}


def _texts(body: Body, name: str) -> list[str]:
    given = body.take(name)
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        body.refuse(name, "must be a list of strings.")
    return given
