"""Check a request to /v1/responses: what this engine would ignore is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrun.engine.api.asking.answers import Conversation
from ftrun.engine.api.asking.chat_request import MOST_LIKELY, USUAL_TOKENS
from ftrun.engine.api.asking.formats import read_format
from ftrun.engine.api.asking.items import Item, messages_of, read_items
from ftrun.engine.api.asking.messages import Message, order_fault
from ftrun.engine.api.asking.sampling import MOST_TOKENS, read_randomness
from ftrun.engine.api.asking.tools import read_tools
from ftrun.engine.api.body import Body
from ftrun.engine.api.fields import HARMLESS, read_stream, take_harmless
from ftrun.engine.questions import Constraint, Sampling
from ftrun.engine.store.responses import Responses, UnknownResponse

SCORES = "message.output_text.logprobs"
INCLUDED = (SCORES, "reasoning.encrypted_content")  # the second of reasoning, which no answer here has
# values that change nothing are accepted, any other is refused
NEUTRAL: Mapping[str, Sequence[Any]] = {
    "background": (False,),
    "reasoning": ({}, {"effort": "none"}),
    "service_tier": ("auto", "default"),
    "truncation": ("disabled",),
}
ELSEWHERE = (
    "access_programs",
    "background_options",
    "context_management",
    "conversation",
    "image",
    "max_tool_calls",
    "moderation",
    "prompt",
    "prompt_cache_options",
    "prompt_cache_retention",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRequest(Conversation):
    """A request to /v1/responses, checked: `messages` has the conversation so far, `items` what is new.

    `echo` is what the response repeats of it; with `store` it is kept.
    """

    items: Sequence[Mapping[str, Any]]
    stream: bool
    store: bool
    echo: Mapping[str, Any]


def read_response_request(body: Body, kept: Responses) -> ResponseRequest:
    """Return the request, which may continue what is `kept`; raise ApiError (400) for what this engine can't
    do. Reads the store.
    """
    items = read_items(body, kept)
    request = ResponseRequest(
        model=body.required_text("model"),
        messages=_messages(body, items, kept),
        items=items,
        sampling=_sampling(body),
        tools=read_tools(body, nested=False),
        constraint=_format(body),
        stream=read_stream(body, with_usage=False)[0],
        store=body.flag("store", default=True),
        echo=_echo(body),
    )
    take_harmless(body, NEUTRAL)
    body.done(unsupported=ELSEWHERE)
    return request


def _messages(body: Body, items: Sequence[Item], kept: Responses) -> list[Message]:
    """Return the instructions, the conversation that is continued, and what is new."""
    instructions, previous = body.text("instructions"), body.text("previous_response_id")
    earlier: list[Item] = []
    if previous is not None:
        try:
            earlier = kept.conversation(previous)
        except UnknownResponse as error:
            body.refuse(
                "previous_response_id",
                f"continues the response '{error}', which is not kept here, or no longer.",
                code="previous_response_not_found",
            )
    messages = messages_of([*earlier, *items])
    if fault := order_fault(messages):
        body.refuse("input", fault)
    return [{"role": "system", "content": instructions}, *messages] if instructions else messages


def _sampling(body: Body) -> Sampling:
    wanted = body.take("include")
    if wanted is not None and (not isinstance(wanted, list) or not all(one in INCLUDED for one in wanted)):
        body.refuse("include", f"must be a list of {' and '.join(INCLUDED)}.", code="unsupported_value")
    likely = body.integer("top_logprobs", least=0, most=MOST_LIKELY)
    with_scores = bool(likely) or SCORES in (wanted or ())
    temperature, top_p = read_randomness(body)
    return Sampling(
        temperature=temperature,
        top_p=top_p,
        max_tokens=body.integer("max_output_tokens", least=1, most=MOST_TOKENS) or USUAL_TOKENS,
        top_logprobs=(likely or 0) if with_scores else None,
    )


def _format(body: Body) -> Constraint | None:
    text = body.object("text")
    if text is None:
        return None
    found = read_format(text, "format", nested=False)
    text.neutral({"verbosity": ("medium",)})
    text.done()
    return found


def _echo(body: Body) -> Mapping[str, Any]:
    """Return what a response repeats of its request, with the values of what was left out."""
    given = _given(body.values)
    tools: Sequence[Mapping[str, Any]] = given.get("tools", ())
    return {
        "background": False,
        "instructions": given.get("instructions"),
        "max_output_tokens": given.get("max_output_tokens"),
        "metadata": given.get("metadata", {}),
        "parallel_tool_calls": given.get("parallel_tool_calls", True),
        "previous_response_id": given.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "temperature": given.get("temperature", 1.0),
        "text": {"format": _given(given.get("text", {}).get("format") or {"type": "text"})},
        "tool_choice": _given(given.get("tool_choice", "auto")),
        "tools": [{"parameters": None, "strict": None, **_given(tool)} for tool in tools],
        "top_logprobs": given.get("top_logprobs", 0),
        "top_p": given.get("top_p", 1.0),
        "truncation": "disabled",
        **{name: given[name] for name in HARMLESS if name in given},
    }


def _given(value: Any) -> Any:
    """Return an object without its nulls, or a word as it is."""
    if not isinstance(value, Mapping):
        return value
    return {name: one for name, one in value.items() if one is not None}
