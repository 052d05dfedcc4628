"""/v1/completions: prompts that are continued as they are, without a chat template."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from ftrun.engine.api.asking.answers import Answers, News, ask, first_part, refusal, refused, usage_object
from ftrun.engine.api.asking.sampling import (
    MOST_ANSWERS,
    MOST_TOKENS,
    is_token_ids,
    read_n,
    read_sampling,
    repeated,
)
from ftrun.engine.api.asking.scores import TextLogprobs
from ftrun.engine.api.asking.streaming import EventStream, event, unless_gone
from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.fields import read_stream
from ftrun.engine.api.lookup import find_answering
from ftrun.engine.api.services import Services, services
from ftrun.engine.inference.chat_answer import ChatFailed, Part
from ftrun.engine.questions import Question, Sampling
from ftrun.engine.store.records import new_id

router = APIRouter(prefix="/v1/completions")
Use = Annotated[Services, Depends(services)]
Prompt = str | Sequence[int]

USUAL_TOKENS = 16  # of an answer without a limit, as in the API
MOST_LIKELY = 5  # of the logprobs
NAMES = {"messages": "prompt"}  # what a chat calls its prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class _CompletionRequest:
    """A request, checked; `echo` has the prompts if answers should begin with them."""

    model: str
    prompts: Sequence[Prompt]
    echo: Sequence[str] | None
    n: int
    sampling: Sampling
    stream: bool
    include_usage: bool


@router.post("", response_model=None)
async def create(http: Request, use: Use, body: Annotated[Body, Depends(json_body)]) -> Response:
    """Continue prompts with a base model, a tuned model or a checkpoint."""
    request = _read(body)
    answers = await _ask(use, request)
    if not request.stream:
        return JSONResponse(await unless_gone(http, _completion(request, answers)))
    first = await first_part(http, answers, NAMES)
    return EventStream(_events(request, answers, first), answers.close)


async def complete(use: Services, body: Body) -> dict[str, Any]:
    """Return the whole answer to a request that doesn't stream; raises ApiError."""
    request = _read(body)
    if request.stream:
        body.refuse("stream", "must be false here.")
    return await _completion(request, await _ask(use, request))


def _read(body: Body) -> _CompletionRequest:
    """Return the request; raise ApiError (400) for what this engine can't do."""
    stream, include_usage = read_stream(body)
    prompts = _prompts(body)
    n = read_n(body, prompts=len(prompts))
    likely = body.integer("logprobs", least=0, most=MOST_LIKELY)
    max_tokens = body.integer("max_tokens", least=1, most=MOST_TOKENS) or USUAL_TOKENS
    request = _CompletionRequest(
        model=body.required_text("model"),
        prompts=prompts,
        echo=_echo(body, prompts, with_logprobs=likely is not None),
        n=n,
        sampling=read_sampling(body, max_tokens=max_tokens, top_logprobs=likely),
        stream=stream,
        include_usage=include_usage,
    )
    body.neutral({"best_of": (n,)})
    body.text("user")
    body.done(unsupported=("suffix",))
    return request


def _prompts(body: Body) -> Sequence[Prompt]:
    """Return the prompts: a text, token ids, or a list of either."""
    given = body.take("prompt")
    if given is None:
        body.missing("prompt")
    prompts = given if isinstance(given, list) and not is_token_ids(given) else [given]
    if not prompts or not all(isinstance(one, str) or is_token_ids(one) for one in prompts) or "" in prompts:
        body.refuse("prompt", "must be a text, a list of token ids, or a list of either, none of them empty.")
    if len(prompts) > MOST_ANSWERS:
        body.refuse("prompt", f"must have at most {MOST_ANSWERS} prompts, not {len(prompts)}.")
    return prompts


def _echo(body: Body, prompts: Sequence[Prompt], *, with_logprobs: bool) -> Sequence[str] | None:
    """Return the texts that the answers should begin with; None if they shouldn't."""
    if not body.flag("echo"):
        return None
    texts = [one for one in prompts if isinstance(one, str)]
    if len(texts) < len(prompts):
        body.refuse("echo", "needs prompts that are texts.", code="unsupported_value")
    if with_logprobs:
        body.refuse("echo", "can't be used with logprobs: prompts have none here.", code="unsupported_value")
    return texts


async def _ask(use: Services, request: _CompletionRequest) -> Answers:
    base, adapter = await run_in_threadpool(find_answering, use, request.model)
    questions = [
        one
        for prompt in request.prompts
        for one in repeated(Question(prompt=prompt, adapter=adapter, sampling=request.sampling), request.n)
    ]
    return ask(use, base, questions)


async def _completion(request: _CompletionRequest, answers: Answers) -> dict[str, Any]:
    """Return a `text_completion`; the choices of the first prompt come first."""
    with contextlib.closing(answers), refused(NAMES):
        wholes = await answers.wholes()
    choices = [
        _choice(request, index, whole, TextLogprobs(), answers.usages[index]["finish_reason"], begins=True)
        for index, whole in enumerate(wholes)
    ]
    return {**_head(request), "choices": choices, "usage": usage_object(answers, request.n)}


async def _events(request: _CompletionRequest, answers: Answers, news: News | None) -> AsyncIterator[str]:
    """Yield server-sent events: pieces and finish reason of each choice, the usage if requested, [DONE]."""
    head = {**_head(request), **({"usage": None} if request.include_usage else {})}
    places: dict[int, TextLogprobs] = {}
    try:
        while news is not None:
            index, part = news
            begins, place = index not in places, places.setdefault(index, TextLogprobs())
            reason = answers.usages[index]["finish_reason"] if part is None else None
            choice = _choice(request, index, part or Part(), place, reason, begins=begins)
            yield event({**head, "choices": [choice]})
            news = await answers.next_part()
        if request.include_usage:
            yield event({**head, "choices": [], "usage": usage_object(answers, request.n)})
        yield "data: [DONE]\n\n"
    except ChatFailed as error:
        yield event(refusal(error, NAMES).body)


def _head(request: _CompletionRequest) -> dict[str, Any]:
    return {
        "id": new_id("cmpl"),
        "object": "text_completion",
        "created": int(time.time()),
        "model": request.model,
    }


def _choice(
    request: _CompletionRequest,
    index: int,
    part: Part,
    place: TextLogprobs,
    finish_reason: str | None,
    *,
    begins: bool,
) -> dict[str, Any]:
    """Return a choice, or a piece of one; where it `begins` may be its prompt."""
    before = request.echo[index // request.n] if request.echo is not None and begins else ""
    return {
        "index": index,
        "text": before + part.text,
        "logprobs": place.add(part.scores) if part.scores else None,
        "finish_reason": finish_reason,
    }
