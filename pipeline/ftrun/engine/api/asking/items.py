"""The items of /v1/responses: a request's input as items, and items as the messages of a chat."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ftrun.engine.api.asking.messages import MOST_MESSAGES, Message, text_of
from ftrun.engine.api.body import Body
from ftrun.engine.store.records import random_name
from ftrun.engine.store.responses import Responses
from ftrun.protocol.spec import CHAT_ROLES

STATUSES = ("in_progress", "completed", "incomplete")
ID_LENGTH = 48

Item = dict[str, Any]


def new_item(prefix: str, **values: Any) -> Item:
    """Return an item with an id such as `msg_…`."""
    return {"id": f"{prefix}_{random_name(ID_LENGTH)}", "status": "in_progress", **values}


def output_text(text: str = "") -> Item:
    """Return the content of an assistant's message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def read_items(body: Body, kept: Responses) -> list[Item]:
    """Return the items of a request's input, whole: those that it refers to are looked up."""
    if isinstance(body.values.get("input"), str):
        return [_message_item("user", body.required_text("input"))]
    readers = body.objects("input")
    if not readers:
        body.refuse("input", "must be a text, or a list with at least one item.")
    if len(readers) > MOST_MESSAGES:
        body.refuse("input", f"must have at most {MOST_MESSAGES} items, not {len(readers)}.")
    items = [_item(reader, kept) for reader in readers]
    for reader in readers:
        reader.done()
    return items


def messages_of(items: Iterable[Item]) -> list[Message]:
    """Return items as messages; the calls that follow a text or each other are one message with it."""
    messages: list[Message] = []
    for item in items:
        if item["type"] == "message":
            messages.append(
                {"role": item["role"], "content": "".join(part["text"] for part in item["content"])}
            )
        elif item["type"] == "function_call_output":
            messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": item["output"]})
        else:
            if not messages or messages[-1]["role"] != "assistant":
                messages.append({"role": "assistant", "content": ""})
            function = {"name": item["name"], "arguments": item["arguments"]}
            call = {"id": item["call_id"], "type": "function", "function": function}
            messages[-1].setdefault("tool_calls", []).append(call)
    return messages


def _item(reader: Body, kept: Responses) -> Item:
    kind, name = reader.take("type"), reader.text("id")
    if kind == "item_reference" or (kind is None and "role" not in reader.values):
        found = kept.item(reader.required_text("id"))
        if found is None:
            reader.refuse("id", f"'{name}' is not an item of a response that is kept here.", code="not_found")
        return found
    reader.choice("status", STATUSES)
    item = _own_item(reader, kind)
    return {**item, "status": "completed", **({"id": name} if name else {})}


def _own_item(reader: Body, kind: Any) -> Item:
    if kind == "function_call":
        call_id, name = reader.required_text("call_id"), reader.required_text("name")
        arguments = reader.text("arguments") or ""
        reader.take("parsed_arguments")
        return new_item("fc", type=kind, call_id=call_id, name=name, arguments=arguments)
    if kind == "function_call_output":
        call_id, output = reader.required_text("call_id"), text_of(reader, "output", "input_text")
        if output is None:
            reader.missing("output")
        return new_item("fco", type=kind, call_id=call_id, output=output)
    if kind not in (None, "message"):
        reader.refuse("type", f"{kind!r} is not supported by this engine.", code="unsupported_value")
    role = reader.choice("role", CHAT_ROLES)
    if role is None:
        reader.missing("role")
    content = text_of(reader, "content", *(("output_text",) if role == "assistant" else ()), "input_text")
    if content is None:
        reader.missing("content")
    return _message_item(role, content)


def _message_item(role: str, text: str) -> Item:
    content = output_text(text) if role == "assistant" else {"type": "input_text", "text": text}
    return {**new_item("msg", type="message", role=role, content=[content]), "status": "completed"}
