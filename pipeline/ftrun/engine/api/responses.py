"""/v1/responses: a conversation as items, answered whole or as a stream of events. No response is kept."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from ftrun.engine.api.asking.several import Answers, News, ask, first_part, refused
from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.errors import ApiError
from ftrun.engine.api.generating import EventStream, event, unless_gone
from ftrun.engine.api.lookup import find_answering
from ftrun.engine.api.response_request import ResponseRequest, read_response_request
from ftrun.engine.api.response_writer import Event, ResponseWriter
from ftrun.engine.api.services import Services, services
from ftrun.engine.inference.chat_answer import ChatFailed
from ftrun.engine.questions import Question

router = APIRouter(prefix="/v1/responses")
Use = Annotated[Services, Depends(services)]
NAMES = {  # what a chat calls its parameters
    "messages": "input",
    "response_format": "text.format",
    "max_tokens": "max_output_tokens",
}


@router.post("", response_model=None)
async def create(http: Request, use: Use, body: Annotated[Body, Depends(json_body)]) -> Response:
    """Answer a conversation with a base model, a tuned model or a checkpoint."""
    request = read_response_request(body)
    answers = await _ask(use, request)
    if not request.stream:
        return JSONResponse(await unless_gone(http, _response(request, answers)))
    first = await first_part(http, answers, NAMES)
    return EventStream(_events(request, answers, first), answers.close)


@router.get("/{name}")
@router.delete("/{name}")
def find(name: str) -> None:
    """Say that no response is kept."""
    raise ApiError(
        f"There is no response '{name}' here: this engine keeps no responses.", status=404, code="not_found"
    )


async def respond(use: Services, body: Body) -> dict[str, Any]:
    """Return the whole answer to a request that doesn't stream; raises ApiError."""
    request = read_response_request(body)
    if request.stream:
        body.refuse("stream", "must be false here.")
    return await _response(request, await _ask(use, request))


async def _ask(use: Services, request: ResponseRequest) -> Answers:
    base, adapter = await run_in_threadpool(find_answering, use, request.model)
    question = Question(
        messages=request.messages,
        adapter=adapter,
        sampling=request.sampling,
        tools=request.tools,
        constraint=request.constraint,
    )
    return ask(use, base, [question])


async def _response(request: ResponseRequest, answers: Answers) -> dict[str, Any]:
    """Return a `response`."""
    with contextlib.closing(answers), refused(NAMES):
        (whole,) = await answers.wholes()
    writer = ResponseWriter(request)
    _exhaust(writer.add(whole))
    _exhaust(writer.end(answers.usages[0]))
    return writer.response


def _exhaust(events: Iterable[Event]) -> None:
    deque(events, maxlen=0)


async def _events(request: ResponseRequest, answers: Answers, news: News | None) -> AsyncIterator[str]:
    """Yield server-sent events, each with its type as its name."""
    writer = ResponseWriter(request)
    try:
        for one in writer.begin():
            yield event(one, one["type"])
        while news is not None:
            part = news[1]
            for one in writer.end(answers.usages[0]) if part is None else writer.add(part):
                yield event(one, one["type"])
            news = await answers.next_part()
    except ChatFailed as error:
        failure = writer.fail(str(error))
        yield event(failure, failure["type"])
