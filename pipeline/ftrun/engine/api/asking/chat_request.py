"""Check a chat request: what this engine would ignore is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrun.engine.api.asking.answers import Conversation
from ftrun.engine.api.asking.formats import read_format
from ftrun.engine.api.asking.messages import read_messages
from ftrun.engine.api.asking.sampling import MOST_TOKENS, read_n, read_sampling
from ftrun.engine.api.asking.tools import read_tools
from ftrun.engine.api.body import Body
from ftrun.engine.api.fields import read_stream, take_harmless

USUAL_TOKENS = 1024  # of an answer without a limit of its own
MOST_LIKELY = 20  # of the top_logprobs
# values that change nothing are accepted, any other is refused
NEUTRAL: Mapping[str, Sequence[Any]] = {
    "modalities": (["text"],),
    "reasoning_effort": ("none",),
    "store": (False,),
    "service_tier": ("auto", "default"),
    "verbosity": ("medium",),
}
ELSEWHERE = (
    "audio",
    "moderation",
    "prediction",
    "prompt_cache_options",
    "prompt_cache_retention",
    "web_search_options",
)
LEGACY = {"functions": "tools", "function_call": "tool_choice"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(Conversation):
    """A chat request, checked."""

    n: int
    stream: bool
    include_usage: bool


def read_chat_request(body: Body) -> ChatRequest:
    """Return the request; raise ApiError (400) for what this engine can't do."""
    stream, include_usage = read_stream(body)
    request = ChatRequest(
        model=body.required_text("model"),
        messages=read_messages(body),
        n=read_n(body),
        sampling=read_sampling(body, max_tokens=_max_tokens(body), top_logprobs=_top_logprobs(body)),
        tools=read_tools(body, nested=True),
        constraint=read_format(body, "response_format", nested=True),
        stream=stream,
        include_usage=include_usage,
    )
    for name, newer in LEGACY.items():
        if body.take(name) is not None:
            body.refuse(name, f"was replaced by `{newer}`.", code="unsupported_parameter")
    take_harmless(body, NEUTRAL)
    body.done(unsupported=ELSEWHERE)
    return request


def _max_tokens(body: Body) -> int:
    older = body.integer("max_tokens", least=1, most=MOST_TOKENS)
    newer = body.integer("max_completion_tokens", least=1, most=MOST_TOKENS)
    if older is not None and newer is not None:
        body.refuse("max_tokens", "and max_completion_tokens can't be used together.")
    return newer or older or USUAL_TOKENS


def _top_logprobs(body: Body) -> int | None:
    wanted, likely = body.flag("logprobs"), body.integer("top_logprobs", least=0, most=MOST_LIKELY)
    if likely and not wanted:
        body.refuse("top_logprobs", "needs logprobs: true.")
    return (likely or 0) if wanted else None
