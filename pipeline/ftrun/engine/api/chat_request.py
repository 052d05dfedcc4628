"""Check a chat request: what this engine would ignore is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrun.engine.api.body import Body
from ftrun.engine.api.job_request import read_metadata
from ftrun.engine.questions import Sampling
from ftrun.protocol.spec import CHAT_ROLES

MOST_TOKENS = 32_768
MOST_STOPS = 4
# values that change nothing are accepted, any other is refused
NEUTRAL: Mapping[str, Sequence[Any]] = {
    "n": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "store": (False,),
    "service_tier": ("auto", "default"),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "logit_bias": ({},),
}
ELSEWHERE = (
    "audio",
    "function_call",
    "functions",
    "moderation",
    "parallel_tool_calls",
    "prediction",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "top_logprobs",
    "verbosity",
    "web_search_options",
)
HARMLESS = ("user", "safety_identifier", "prompt_cache_key")  # identify the caller, change no answer


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A chat request, checked."""

    model: str
    messages: Sequence[Mapping[str, Any]]
    sampling: Sampling
    stream: bool
    include_usage: bool


def read_chat_request(body: Body) -> ChatRequest:
    """Return the request; raise ApiError (400) for what this engine can't do."""
    options = body.object("stream_options")
    stream = body.flag("stream")
    if options is not None and not stream:
        body.refuse("stream_options", "needs stream: true.")
    request = ChatRequest(
        model=body.required_text("model"),
        messages=_messages(body),
        sampling=_sampling(body),
        stream=stream,
        include_usage=options.flag("include_usage") if options is not None else False,
    )
    if options is not None:
        options.flag("include_obfuscation")
        options.done()
    _take_neutral(body)
    read_metadata(body)
    body.done(unsupported=ELSEWHERE)
    return request


def _take_neutral(body: Body) -> None:
    for name, accepted in NEUTRAL.items():
        value = body.take(name)
        if value is not None and value not in accepted:
            body.refuse(name, f"{value!r} is not supported by this engine.", code="unsupported_value")
    for name in HARMLESS:
        body.text(name)


def _sampling(body: Body) -> Sampling:
    default = Sampling()
    temperature = body.number("temperature", least=0, most=2)
    top_p = body.number("top_p", least=0, most=1)
    older = body.integer("max_tokens", least=1, most=MOST_TOKENS)
    newer = body.integer("max_completion_tokens", least=1, most=MOST_TOKENS)
    if older is not None and newer is not None:
        body.refuse("max_tokens", "and max_completion_tokens can't be used together.")
    return Sampling(
        temperature=default.temperature if temperature is None else temperature,
        top_p=default.top_p if top_p is None else top_p,
        max_tokens=newer or older or default.max_tokens,
        seed=body.integer("seed", least=-(2**63), most=2**63 - 1),
        stop=_stop(body),
    )


def _stop(body: Body) -> tuple[str, ...]:
    value = body.take("stop")
    words = [value] if isinstance(value, str) else value or []
    good = isinstance(words, list) and all(isinstance(word, str) and word for word in words)
    if not good or len(words) > MOST_STOPS:
        body.refuse(
            "stop", f"must be a string or a list of at most {MOST_STOPS} strings, none of them empty."
        )
    return tuple(words)


def _messages(body: Body) -> list[dict[str, Any]]:
    messages = body.take("messages")
    if not isinstance(messages, list) or not messages:
        body.refuse("messages", "must be a list with at least one message.")
    return [_message(body, index, message) for index, message in enumerate(messages)]


def _message(body: Body, index: int, message: Any) -> dict[str, Any]:
    if not isinstance(message, dict):
        body.refuse("messages", f"[{index}] must be an object.")
    reader = Body(message, f"messages[{index}]")
    role = reader.take("role")
    if role not in CHAT_ROLES:
        reader.refuse("role", f"must be one of {', '.join(CHAT_ROLES)}, not {role!r}.")
    content, name = _content(reader), reader.text("name")
    reader.done(unsupported=("tool_calls", "function_call", "audio", "refusal", "tool_call_id"))
    return {"role": role, "content": content, **({"name": name} if name else {})}


def _content(reader: Body) -> str:
    """Return a message's text; a list of text parts is joined."""
    content = reader.take("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        reader.refuse("content", "must be a string.")
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            reader.refuse("content", "takes parts of the type 'text' only.", code="unsupported_value")
    return "".join(part["text"] for part in content)
