"""/v1/chat/completions: whole answers, and streams of server-sent events."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from ftrun.engine.api.asking.answers import (
    Answers,
    News,
    ask_chat,
    first_part,
    refusal,
    refused,
    usage_object,
)
from ftrun.engine.api.asking.chat_request import ChatRequest, read_chat_request
from ftrun.engine.api.asking.scores import token_logprobs
from ftrun.engine.api.asking.streaming import EventStream, event, unless_gone
from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.services import Services, services
from ftrun.engine.inference.chat_answer import ChatFailed, Part
from ftrun.engine.store.records import new_id, random_name

router = APIRouter(prefix="/v1/chat/completions")
Use = Annotated[Services, Depends(services)]


@router.post("", response_model=None)
async def create(http: Request, use: Use, body: Annotated[Body, Depends(json_body)]) -> Response:
    """Answer a conversation with a base model, a tuned model or a checkpoint."""
    request = read_chat_request(body)
    answers = await ask_chat(use, request, request.n)
    if not request.stream:
        return JSONResponse(await unless_gone(http, _completion(request, answers)))
    first = await first_part(http, answers)
    return EventStream(_events(request, answers, first), answers.close)


async def complete(use: Services, body: Body) -> dict[str, Any]:
    """Return the whole answer to a request that doesn't stream; raises ApiError."""
    request = read_chat_request(body)
    if request.stream:
        body.refuse("stream", "must be false here.")
    return await _completion(request, await ask_chat(use, request, request.n))


async def _completion(request: ChatRequest, answers: Answers) -> dict[str, Any]:
    """Return a `chat.completion`."""
    with contextlib.closing(answers), refused():
        wholes = await answers.wholes()
    return {
        "id": new_id("chatcmpl"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [
            {
                "index": index,
                "message": _message(whole),
                "logprobs": _scores(request, whole.scores),
                "finish_reason": answers.usages[index]["finish_reason"],
            }
            for index, whole in enumerate(wholes)
        ],
        "usage": usage_object(answers, request.n),
    }


def _message(whole: Part) -> dict[str, Any]:
    calls = [
        {
            "id": _call_id(),
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
        }
        for call in whole.calls
    ]
    return {
        "role": "assistant",
        "content": whole.text or (None if calls else ""),
        "refusal": None,
        "annotations": [],
        **({"tool_calls": calls} if calls else {}),
    }


async def _events(request: ChatRequest, answers: Answers, news: News | None) -> AsyncIterator[str]:
    """Yield server-sent events: of each choice role, pieces, finish reason; the usage if wanted, [DONE]."""
    head = {
        "id": new_id("chatcmpl"),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": request.model,
        **({"usage": None} if request.include_usage else {}),
    }
    calls: dict[int, int] = {}  # how many each choice has so far
    try:
        while news is not None:
            index, part = news
            for delta, scores in _deltas(part or Part(), calls.get(index)):
                yield _chunk(head, index, delta, logprobs=_scores(request, scores))
            calls[index] = calls.get(index, 0) + (0 if part is None else len(part.calls))
            if part is None:
                yield _chunk(head, index, {}, finish_reason=answers.usages[index]["finish_reason"])
            news = await answers.next_part()
        if request.include_usage:
            yield event({**head, "choices": [], "usage": usage_object(answers, request.n)})
        yield "data: [DONE]\n\n"
    except ChatFailed as error:
        yield event(refusal(error).body)


def _deltas(part: Part, calls: int | None) -> Iterator[tuple[dict[str, Any], Sequence[Mapping[str, Any]]]]:
    """Yield what is new about a choice that has so many calls so far, None before its first part."""
    if calls is None:
        content = None if part.calls and not part.text else ""
        yield {"role": "assistant", "content": content, "refusal": None}, ()
    if part.text or part.scores:
        yield ({"content": part.text} if part.text else {}), part.scores
    for number, call in enumerate(part.calls, calls or 0):
        begun = {"id": _call_id(), "type": "function", "function": {"name": call["name"], "arguments": ""}}
        yield {"tool_calls": [{"index": number, **begun}]}, ()
        yield {"tool_calls": [{"index": number, "function": {"arguments": call["arguments"]}}]}, ()


def _chunk(
    head: Mapping[str, Any],
    index: int,
    delta: Mapping[str, Any],
    *,
    logprobs: Mapping[str, Any] | None = None,
    finish_reason: str | None = None,
) -> str:
    choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
    return event({**head, "choices": [choice]})


def _scores(request: ChatRequest, scores: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if request.sampling.top_logprobs is None or not scores:
        return None
    return {"content": token_logprobs(scores), "refusal": None}


def _call_id() -> str:
    return f"call_{random_name(24)}"
