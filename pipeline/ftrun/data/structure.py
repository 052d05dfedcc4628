"""Owns what a chat example must look like: keys, roles, contents, weights. Counts and changes nothing."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from ftrun.data.faults import Fault

ROLES = ("system", "developer", "user", "assistant")
MESSAGE_KEYS = frozenset(("role", "content", "name", "weight"))
LATER_ROLES = frozenset(("tool", "function"))
LATER_MESSAGE_KEYS = frozenset(("tool_calls", "tool_call_id", "function_call", "refusal", "audio"))
LATER_ROW_KEYS = frozenset(("tools", "parallel_tool_calls", "functions", "function_call"))


def structure_faults(messages: Sequence[Any]) -> Iterator[Fault]:
    """Yield what is wrong with the messages of one example."""
    if not messages:
        yield Fault("empty_messages", "`messages` is empty")
        return
    sound = True
    for index, message in enumerate(messages):
        for fault in _message_faults(f"messages[{index}]", message):
            sound = sound and fault.code not in ("message_shape", "role", "not_in_this_version")
            yield fault
    if sound:
        yield from _order_faults(messages)


def row_key_faults(row: Mapping[str, Any], used: Container[str | None] = ()) -> Iterator[Fault]:
    """Yield the keys beside `messages` that a chat row can't have or has in vain; `used` have an effect."""
    for key in row:
        if key in LATER_ROW_KEYS:
            yield Fault("not_in_this_version", f"`{key}` in chat rows is not in this version")
        elif key != "messages" and key not in used:
            yield Fault("ignored_key", f"chat rows have the key {key!r}; only `messages` is used")


def has_system(messages: Sequence[Any]) -> bool:
    """Tell whether a system (or developer) message is among them."""
    return any(isinstance(one, Mapping) and one.get("role") in ("system", "developer") for one in messages)


def _message_faults(place: str, message: Any) -> Iterator[Fault]:
    if not isinstance(message, Mapping):
        yield Fault("message_shape", f"{place} is no object")
        return
    for key in message.keys() - MESSAGE_KEYS:
        if key in LATER_MESSAGE_KEYS:
            yield Fault("not_in_this_version", f"{place}.{key} is not in this version")
        else:
            yield Fault("unknown_key", f"{place} has the unknown key {key!r}")
    role = message.get("role")
    if role in LATER_ROLES if isinstance(role, str) else False:
        yield Fault("not_in_this_version", f"{place}: the role {role!r} is not in this version")
        return
    if role not in ROLES:
        yield Fault(
            "role", f"{place}.role is {_shown(role)}" if "role" in message else f"{place} has no role"
        )
    yield from _content_faults(place, role, message)
    if "name" in message and not (isinstance(message["name"], str) and message["name"].strip()):
        yield Fault("name", f"{place}.name is {_shown(message['name'])}")
    yield from _weight_faults(place, role, message)


def _content_faults(place: str, role: Any, message: Mapping[str, Any]) -> Iterator[Fault]:
    content = message.get("content")
    if content is None and message.keys() & LATER_MESSAGE_KEYS:
        return  # that key has been named
    if content is None or (isinstance(content, str) and not content.strip()):
        yield Fault("empty_content", f"{place} ({role}): the content is empty")
    elif isinstance(content, list):
        yield Fault(
            "not_in_this_version", f"{place}.content is a list of parts, which is not in this version"
        )
    elif not isinstance(content, str):
        yield Fault("content_type", f"{place}.content is {_shown(content)}, not a text")


def _weight_faults(place: str, role: Any, message: Mapping[str, Any]) -> Iterator[Fault]:
    if "weight" not in message:
        return
    weight = message["weight"]
    if isinstance(weight, (bool, float)) or weight not in (0, 1):
        yield Fault("weight", f"{place}.weight is {_shown(weight)}")
    elif role != "assistant":
        yield Fault("weight", f"{place}.weight stands at a message of the {role}")


def _order_faults(messages: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    if messages[-1]["role"] != "assistant":
        yield Fault("last_not_assistant", f"the last message is the {messages[-1]['role']}'s")
    answers = [one for one in messages if one["role"] == "assistant"]
    if answers and all(one.get("weight") == 0 for one in answers):
        yield Fault("nothing_to_learn", "every assistant message has the weight 0")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
