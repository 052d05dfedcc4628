"""/v1/responses: a conversation as items, answered whole or as a stream of events, and kept for later."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections import deque
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from ftrun.engine.api.asking.answers import Answers, News, ask_chat, first_part, refused
from ftrun.engine.api.asking.response_request import ResponseRequest, read_response_request
from ftrun.engine.api.asking.response_writer import ResponseWriter
from ftrun.engine.api.asking.streaming import EventStream, event, unless_gone
from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.errors import ApiError, not_found
from ftrun.engine.api.objects import page_object, unknown_cursor
from ftrun.engine.api.services import Services, services
from ftrun.engine.inference.chat_answer import ChatFailed

router = APIRouter(prefix="/v1/responses")
Use = Annotated[Services, Depends(services)]
Limit = Annotated[int, Query(ge=1, le=100)]
NAMES = {  # what a chat calls its parameters
    "messages": "input",
    "response_format": "text.format",
    "max_tokens": "max_output_tokens",
}


@router.post("", response_model=None)
async def create(http: Request, use: Use, body: Annotated[Body, Depends(json_body)]) -> Response:
    """Answer a conversation with a base model, a tuned model or a checkpoint."""
    request = await run_in_threadpool(read_response_request, body, use.store.responses)
    answers = await ask_chat(use, request)
    if not request.stream:
        return JSONResponse(await unless_gone(http, _response(use, request, answers)))
    first = await first_part(http, answers, NAMES)
    return EventStream(_events(use, request, answers, first), answers.close)


@router.get("/{response_id}")
def retrieve(use: Use, response_id: str, stream: Literal["true", "false"] = "false") -> dict[str, Any]:
    """Return a response that is kept."""
    if stream == "true":
        raise ApiError(
            "stream: a response that is kept is shown whole.", code="unsupported_value", param="stream"
        )
    found = use.store.responses.get(response_id)
    if found is None:
        raise _not_found(response_id)
    return found


@router.delete("/{response_id}")
def delete(use: Use, response_id: str) -> dict[str, Any]:
    """Delete a response; later ones that continue it can no longer be continued."""
    if not use.store.responses.delete(response_id):
        raise _not_found(response_id)
    return {"id": response_id, "object": "response", "deleted": True}


@router.get("/{response_id}/input_items")
def input_items(
    use: Use,
    response_id: str,
    limit: Limit = 20,
    order: Literal["asc", "desc"] = "desc",
    after: str | None = None,
) -> dict[str, Any]:
    """List the items that were given with the request for a response."""
    if use.store.responses.get(response_id) is None:
        raise _not_found(response_id)
    items = use.store.responses.given(response_id)
    if order == "desc":
        items.reverse()
    ids = [item["id"] for item in items]
    if after is not None and after not in ids:
        raise unknown_cursor(after)
    left = items[ids.index(after) + 1 :] if after is not None else items
    return page_object(left[:limit], has_more=len(left) > limit)


def _not_found(response_id: str) -> ApiError:
    return not_found("response", response_id, param="response_id")


async def respond(use: Services, body: Body) -> dict[str, Any]:
    """Return the whole answer to a request that doesn't stream; raises ApiError."""
    request = await run_in_threadpool(read_response_request, body, use.store.responses)
    if request.stream:
        body.refuse("stream", "must be false here.")
    return await _response(use, request, await ask_chat(use, request))


async def _response(use: Services, request: ResponseRequest, answers: Answers) -> dict[str, Any]:
    """Return a `response`."""
    with contextlib.closing(answers), refused(NAMES):
        (whole,) = await answers.wholes()
    writer = ResponseWriter(request)
    deque(itertools.chain(writer.add(whole), writer.end(answers.usages[0])), maxlen=0)
    return await _kept(use, request, writer)


async def _kept(use: Services, request: ResponseRequest, writer: ResponseWriter) -> dict[str, Any]:
    """Return a response that has ended, after it was kept if the request says so."""
    response = writer.response
    if request.store:
        await run_in_threadpool(use.store.responses.add, response, request.items)
    return response


async def _events(
    use: Services, request: ResponseRequest, answers: Answers, news: News | None
) -> AsyncIterator[str]:
    """Yield server-sent events, each with its type as its name."""
    writer = ResponseWriter(request)
    try:
        for one in writer.begin():
            yield event(one, one["type"])
        while news is not None:
            part = news[1]
            events = list(writer.end(answers.usages[0]) if part is None else writer.add(part))
            if part is None:
                await _kept(use, request, writer)
            for one in events:
                yield event(one, one["type"])
            news = await answers.next_part()
    except (ChatFailed, OSError, sqlite3.Error) as error:  # the second where the disk is full
        failure = writer.fail(str(error))
        yield event(failure, failure["type"])
