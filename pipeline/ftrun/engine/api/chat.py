"""/v1/chat/completions: whole answers, and streams of server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.chat_request import ChatRequest, read_chat_request
from ftrun.engine.api.errors import ApiError, not_found
from ftrun.engine.api.job_request import check_base_model
from ftrun.engine.api.services import Services, services
from ftrun.engine.inference.chat_answer import Answer, ChatFailed
from ftrun.engine.store.records import new_id

router = APIRouter(prefix="/v1/chat/completions")
Use = Annotated[Services, Depends(services)]
Result = TypeVar("Result")


@router.post("", response_model=None)
async def create(http: Request, use: Use, body: Annotated[Body, Depends(json_body)]) -> Response:
    """Answer a conversation with a base model, a tuned model or a checkpoint."""
    request = read_chat_request(body)
    base, adapter = await run_in_threadpool(_find, use, request.model)
    try:
        answer = use.chats.ask(base, request.messages, adapter=adapter, sampling=request.sampling)
        try:
            if not request.stream:
                text = await _unless_gone(http, answer.text())
                return JSONResponse(_completion(request, answer, text))
            # wait for the first piece: until then an error still gets its own status
            first = await _unless_gone(http, answer.next_piece())
        except BaseException:
            answer.close()
            raise
    except ChatFailed as error:
        raise _refusal(error) from error
    return _EventStream(request, answer, first)


def _find(use: Services, model: str) -> tuple[str, Path | None]:
    """Return the base model of the requested model, and the folder of its adapter if it is a tuned one."""
    tuned = use.store.models.get(model)
    if tuned is not None:
        base, adapter = tuned.base, tuned.path
    elif model.startswith("ft:"):
        raise not_found("model", model, code="model_not_found", param="model")
    else:
        base, adapter = model, None
    check_base(base)
    return base, adapter


async def _unless_gone(http: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of `work`; when the client goes away before, cancel it and raise ClientDisconnect."""
    working, going = asyncio.create_task(work), asyncio.create_task(_wait_until_gone(http))
    try:
        await asyncio.wait((working, going), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        going.cancel()


async def _wait_until_gone(http: Request) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass


def check_base(base: str) -> None:
    """Raise ApiError unless `base` is a base model that can answer."""
    try:
        check_base_model(base)
    except ApiError as error:
        if error.code == "model_not_found":
            error.status = 404  # as in the API; for a job it is a 400
        raise


def _refusal(error: ChatFailed) -> ApiError:
    return ApiError(
        str(error),
        status=error.status,
        code=error.code,
        param=error.param,
        retry_after=error.retry_after,
    )


def _completion(request: ChatRequest, answer: Answer, text: str) -> dict[str, Any]:
    """Return a `chat.completion`."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
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


class _EventStream(StreamingResponse):
    """The rest of an answer as server-sent events; cancelled when the client goes away."""

    def __init__(self, request: ChatRequest, answer: Answer, first: str | None) -> None:
        super().__init__(_events(request, answer, first), media_type="text/event-stream")
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._answer.close()


async def _events(request: ChatRequest, answer: Answer, first: str | None) -> AsyncIterator[str]:
    """Yield server-sent events: role, pieces, finish reason, the usage if requested, [DONE]."""
    head = {
        "id": new_id("chatcmpl"),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": request.model,
        **({"usage": None} if request.include_usage else {}),
    }
    try:
        yield _event(head, _choice({"role": "assistant", "content": "", "refusal": None}))
        piece = first
        while piece is not None:
            yield _event(head, _choice({"content": piece}))
            piece = await answer.next_piece()
        yield _event(head, _choice({}, answer.usage["finish_reason"]))
        if request.include_usage:
            yield _event({**head, "usage": _usage(answer.usage)})
        yield "data: [DONE]\n\n"
    except ChatFailed as error:
        yield f"data: {json.dumps(_refusal(error).body)}\n\n"


def _event(head: Mapping[str, Any], *choices: Mapping[str, Any]) -> str:
    return f"data: {json.dumps({**head, 'choices': choices})}\n\n"


def _choice(delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _usage(usage: Mapping[str, Any]) -> dict[str, int]:
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
