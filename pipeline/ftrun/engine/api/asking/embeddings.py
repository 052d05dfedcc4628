"""/v1/embeddings: vectors of texts, computed with a base model, a tuned model or a checkpoint."""

from __future__ import annotations

import base64
import contextlib
from array import array
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from ftrun.engine.api.asking.answers import refused
from ftrun.engine.api.asking.sampling import is_token_ids
from ftrun.engine.api.asking.streaming import unless_gone
from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.lookup import find_answering
from ftrun.engine.api.services import Services, services
from ftrun.engine.questions import Texts

MOST_INPUTS = 2048
FORMATS = ("float", "base64")

router = APIRouter(prefix="/v1/embeddings")


@router.post("")
async def create(
    http: Request, use: Annotated[Services, Depends(services)], body: Annotated[Body, Depends(json_body)]
) -> JSONResponse:
    """Return the embeddings of one or more inputs."""
    return JSONResponse(await unless_gone(http, embed(use, body)))


async def embed(use: Services, body: Body) -> dict[str, Any]:
    """Return the answer to a request; raises ApiError."""
    model, texts = body.required_text("model"), _inputs(body)
    form = body.text("encoding_format") or FORMATS[0]
    if form not in FORMATS:
        body.refuse("encoding_format", f"must be 'float' or 'base64', not {form!r}.")
    body.text("user")
    body.done(unsupported=("dimensions",))
    base, adapter = await run_in_threadpool(find_answering, use, model)
    with refused(), contextlib.closing(use.chats.ask(base, Texts(texts=texts, adapter=adapter))) as answer:
        vectors = (await answer.whole()).vectors
    tokens = answer.usage["prompt_tokens"]
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": vector if form == "base64" else _floats(vector),
            }
            for index, vector in enumerate(vectors)
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _inputs(body: Body) -> Sequence[str | Sequence[int]]:
    """Return the texts, or token ids, that are to be embedded."""
    given = body.take("input")
    inputs = [given] if isinstance(given, str) or is_token_ids(given) else given
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= MOST_INPUTS:
        body.refuse("input", f"must be a text, a list of token ids, or a list of 1 to {MOST_INPUTS} of them.")
    for index, one in enumerate(inputs):
        if not (one and isinstance(one, str)) and not is_token_ids(one):
            body.refuse("input", f"[{index}] must be a text or a list of token ids, and not empty.")
    return inputs


def _floats(vector: str) -> list[float]:
    return array("f", base64.b64decode(vector)).tolist()
