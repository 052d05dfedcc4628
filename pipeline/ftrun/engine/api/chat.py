"""/v1/chat/completions: whole answers, and streams of server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.chat_request import ChatRequest, read_chat_request
from ftrun.engine.api.errors import ApiError, not_found
from ftrun.engine.api.job_request import check_base_model
from ftrun.engine.api.services import Services, services
from ftrun.engine.inference.chat_pool import Answer, ChatFailed
from ftrun.engine.store.records import new_id

router = APIRouter(prefix="/v1/chat/completions")
Use = Annotated[Services, Depends(services)]


@router.post("", response_model=None)
async def create(use: Use, body: Annotated[Body, Depends(json_body)]) -> Response:
    """Answer a conversation with a base model, a tuned model or a checkpoint."""
    request = read_chat_request(body)
    answer = await run_in_threadpool(_ask, use, request)
    try:
        # wait for the first piece: until then an error still gets its own status
        first = await run_in_threadpool(answer.next_piece)
        if request.stream:
            return StreamingResponse(_events(request, answer, first), media_type="text/event-stream")
        text = "" if first is None else first + await run_in_threadpool(lambda: "".join(answer.pieces()))
    except ChatFailed as error:
        raise _refusal(error) from error
    except BaseException:
        answer.close()  # the client has gone
        raise
    return JSONResponse(_completion(request, answer, text))


def _ask(use: Services, request: ChatRequest) -> Answer:
    """Start an answer by the requested model."""
    tuned = use.store.models.get(request.model)
    if tuned is not None:
        base, adapter = tuned.base, tuned.path
    elif request.model.startswith("ft:"):
        raise not_found("model", request.model, code="model_not_found", param="model")
    else:
        base, adapter = request.model, None
    check_base(base)
    return use.chats.ask(base, request.messages, adapter=adapter, sampling=request.sampling)


def check_base(base: str) -> None:
    """Raise ApiError unless `base` is a base model that can answer."""
    try:
        check_base_model(base)
    except ApiError as error:
        if error.code == "model_not_found":
            error.status = 404  # as in the API; for a job it is a 400
        raise


def _refusal(error: ChatFailed) -> ApiError:
    return ApiError(str(error), status=error.status, code=error.code, param=error.param)


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
            piece = await run_in_threadpool(answer.next_piece)
        yield _event(head, _choice({}, answer.usage["finish_reason"]))
        if request.include_usage:
            yield _event({**head, "usage": _usage(answer.usage)})
        yield "data: [DONE]\n\n"
    except ChatFailed as error:
        yield f"data: {json.dumps(_refusal(error).body)}\n\n"
    finally:
        answer.close()


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
