"""The input of /v1/responses: a text, or items that become the messages of a chat."""

from __future__ import annotations

from ftrun.engine.api.asking.messages import Message, order_fault, text_of
from ftrun.engine.api.body import Body
from ftrun.protocol.spec import CHAT_ROLES

STATUSES = ("in_progress", "completed", "incomplete")  # of items that earlier responses had


def read_input(body: Body) -> list[Message]:
    """Return the messages of a request: its instructions, then its input."""
    instructions, given = body.text("instructions"), body.values.get("input")
    messages: list[Message] = [{"role": "system", "content": instructions}] if instructions else []
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": body.required_text("input")}]
    items = body.objects("input")
    if not items:
        body.refuse("input", "must be a text, or a list with at least one item.")
    for item in items:
        _add(messages, item)
        item.done()
    if fault := order_fault(messages):
        body.refuse("input", fault)
    return messages


def _add(messages: list[Message], item: Body) -> None:
    """Add an item to the messages; the calls that follow a text or each other are one message."""
    item.text("id")
    item.choice("status", STATUSES)
    kind = item.take("type")
    if kind == "function_call":
        call = {
            "id": item.required_text("call_id"),
            "type": "function",
            "function": {"name": item.required_text("name"), "arguments": item.text("arguments") or ""},
        }
        if not messages or messages[-1]["role"] != "assistant":
            messages.append({"role": "assistant", "content": ""})
        messages[-1].setdefault("tool_calls", []).append(call)
    elif kind == "function_call_output":
        call_id, output = item.required_text("call_id"), text_of(item, "output", "input_text")
        if output is None:
            item.refuse("output", "is required.", code="missing_required_parameter")
        messages.append({"role": "tool", "tool_call_id": call_id, "content": output})
    elif kind in (None, "message"):
        messages.append(_message(item))
    else:
        item.refuse("type", f"{kind!r} is not supported by this engine.", code="unsupported_value")


def _message(item: Body) -> Message:
    role = item.choice("role", CHAT_ROLES)
    if role is None:
        item.refuse("role", "is required.", code="missing_required_parameter")
    kinds = ("output_text", "input_text") if role == "assistant" else ("input_text",)
    content = text_of(item, "content", *kinds)
    if content is None:
        item.refuse("content", "is required.", code="missing_required_parameter")
    return {"role": role, "content": content}
