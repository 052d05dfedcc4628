"""Reading the messages of a chat request, and the order of calls and their results in any conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftrun.engine.api.body import Body
from ftrun.protocol.spec import LEGACY_ROLE, ROLES

Message = dict[str, Any]
MOST_MESSAGES = 2048  # as in the API
# what answers have, and clients send back with the conversation: empty, or copies that the SDK's helpers make
EMPTY: Mapping[str, Sequence[Any]] = {"refusal": (), "audio": (), "function_call": (), "annotations": ([],)}


def read_messages(body: Body) -> list[Message]:
    """Return the messages of a chat request, each with a string as content."""
    readers = body.objects("messages")
    if not readers:
        body.refuse("messages", "must be a list with at least one message.")
    if len(readers) > MOST_MESSAGES:
        body.refuse("messages", f"must have at most {MOST_MESSAGES} messages, not {len(readers)}.")
    messages = [_message(reader) for reader in readers]
    if fault := order_fault(messages):
        body.refuse("messages", fault)
    return messages


def order_fault(messages: Sequence[Message]) -> str | None:
    """Return what is wrong with the order of calls and results; name the function of each result.

    Each result follows the assistant message with its call; the conversation continues once all are there.
    """
    names: dict[str, str] = {}
    open_calls: dict[str, str] = {}
    for message in messages:
        if message["role"] == "tool":
            call = message["tool_call_id"]
            if call not in names:
                return f"must have the call '{call}' in an assistant message before its result."
            if open_calls.pop(call, None) is None:
                return f"must have one result for the call '{call}', right after it."
            message["name"] = names[call]
            continue
        if open_calls:
            break
        for call in message.get("tool_calls", ()):
            if call["id"] in names:
                return f"must not have two calls with the id '{call['id']}'."
            names[call["id"]] = open_calls[call["id"]] = call["function"]["name"]
    if open_calls:
        return f"must have a result for the call '{next(iter(open_calls))}', right after it."
    return None


def text_of(reader: Body, key: str, *kinds: str) -> str | None:
    """Return a content as text; parts of those kinds are joined. None if there is none."""
    content = reader.values.get(key)
    if content is None or isinstance(content, str):
        return reader.text(key)
    parts = reader.objects(key)
    if not parts:
        reader.refuse(key, "must be a string or a list with at least one part.")
    return "".join(_text_of_part(part, kinds) for part in parts)


def _text_of_part(part: Body, kinds: Sequence[str]) -> str:
    kind = part.take("type")
    if kind not in kinds:
        part.refuse(
            "type",
            f"must be '{kinds[0]}', not {kind!r}: this engine reads text only.",
            code="unsupported_value",
        )
    text = part.text("text")
    if text is None:
        part.missing("text")
    if kind == "output_text":  # of an earlier answer, with what is known about its text
        for known in ("annotations", "logprobs", "parsed"):
            part.take(known)
    part.done(unsupported=("prompt_cache_breakpoint",))
    return text


def _message(reader: Body) -> Message:
    role = reader.take("role")
    if role == LEGACY_ROLE:
        reader.refuse("role", "'function' was replaced by 'tool'.", code="unsupported_value")
    if role not in ROLES:
        reader.refuse("role", f"must be one of {', '.join(ROLES)}, not {role!r}.")
    message: Message = {"role": role}
    content = text_of(reader, "content", "text")
    if name := reader.text("name"):
        message["name"] = name
    if role == "tool":
        message["tool_call_id"] = reader.required_text("tool_call_id")
    if role == "assistant":
        reader.neutral(EMPTY)
        reader.take("parsed")
        calls = [_call(call) for call in reader.objects("tool_calls")]
        if calls:
            message["tool_calls"] = calls
    if content is None and "tool_calls" not in message:
        reader.refuse("content", "must be a string.")
    reader.done()
    return {**message, "content": content or ""}


def _call(call: Body) -> Message:
    """Return a call of an assistant message."""
    name = call.required_text("id")
    if call.choice("type", ("function",)) is None:
        call.missing("type")
    call.take("index")
    function = call.required_object("function")
    function.take("parsed_arguments")
    found = {"name": function.required_text("name"), "arguments": function.text("arguments") or ""}
    function.done()
    call.done()
    return {"id": name, "type": "function", "function": found}
