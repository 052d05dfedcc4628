"""/v1/chat/completions: whole answers, and streams of server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.chat_request import ChatRequest, read_chat_request
from ftrun.engine.api.generating import EventStream, event, refusal, unless_gone
from ftrun.engine.api.lookup import find_answering
from ftrun.engine.api.services import Services, services
from ftrun.engine.inference.chat_answer import Answer, ChatFailed, Part
from ftrun.engine.questions import Question
from ftrun.engine.store.records import new_id

router = APIRouter(prefix="/v1/chat/completions")
Use = Annotated[Services, Depends(services)]


@router.post("", response_model=None)
async def create(http: Request, use: Use, body: Annotated[Body, Depends(json_body)]) -> Response:
    """Answer a conversation with a base model, a tuned model or a checkpoint."""
    if not body.values.get("stream"):
        return JSONResponse(await unless_gone(http, complete(use, body)))
    request = read_chat_request(body)
    base, adapter = await run_in_threadpool(find_answering, use, request.model)
    question = Question(messages=request.messages, adapter=adapter, sampling=request.sampling)
    try:
        answer = use.chats.ask(base, question)
        try:
            # wait for the first part: until then an error still gets its own status
            first = await unless_gone(http, answer.next_part())
        except BaseException:
            answer.close()
            raise
    except ChatFailed as error:
        raise refusal(error) from error
    return EventStream(_events(request, answer, first), answer.close)


async def complete(use: Services, body: Body) -> dict[str, Any]:
    """Return the whole answer to a request, which must not ask for a stream; raises ApiError."""
    request = read_chat_request(body)
    base, adapter = await run_in_threadpool(find_answering, use, request.model)
    question = Question(messages=request.messages, adapter=adapter, sampling=request.sampling)
    try:
        answer = use.chats.ask(base, question)
        try:
            return _completion(request, answer, await answer.whole())
        except BaseException:
            answer.close()
            raise
    except ChatFailed as error:
        raise refusal(error) from error


def _completion(request: ChatRequest, answer: Answer, whole: Part) -> dict[str, Any]:
    """Return a `chat.completion`."""
    message: dict[str, Any] = {"role": "assistant", "content": whole.text, "refusal": None, "annotations": []}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": answer.usage["finish_reason"],
    }
    return {
        "id": new_id("chatcmpl"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [choice],
        "usage": _usage(answer.usage),
    }


async def _events(request: ChatRequest, answer: Answer, first: Part | None) -> AsyncIterator[str]:
    """Yield server-sent events: role, pieces, finish reason, the usage if requested, [DONE]."""
    head = {
        "id": new_id("chatcmpl"),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": request.model,
        **({"usage": None} if request.include_usage else {}),
    }
    try:
        yield _chunk(head, _choice({"role": "assistant", "content": "", "refusal": None}))
        part = first
        while part is not None:
            yield _chunk(head, _choice({"content": part.text}))
            part = await answer.next_part()
        yield _chunk(head, _choice({}, answer.usage["finish_reason"]))
        if request.include_usage:
            yield _chunk({**head, "usage": _usage(answer.usage)})
        yield "data: [DONE]\n\n"
    except ChatFailed as error:
        yield event(refusal(error).body)


def _chunk(head: Mapping[str, Any], *choices: Mapping[str, Any]) -> str:
    return event({**head, "choices": choices})


def _choice(delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _usage(usage: Mapping[str, Any]) -> dict[str, int]:
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
