"""What messages must look like: keys, roles, contents, weights, order. Counts and changes nothing.

The rows around them are shapes.py's, calls of functions tool_calls.py's, images parts.py's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftrun.protocol.chat import chat_in, is_flawless
from ftrun.protocol.content import part_faults
from ftrun.protocol.faults import Fault, nearest, shown
from ftrun.protocol.functions import Functions
from ftrun.protocol.tool_calls import call_faults

ROLES = ("system", "developer", "user", "assistant", "tool")
KEYS = {  # of a message, by role
    "system": frozenset(("role", "content", "name")),
    "developer": frozenset(("role", "content", "name")),
    "user": frozenset(("role", "content", "name")),
    "assistant": frozenset(("role", "content", "name", "weight", "tool_calls")),
    "tool": frozenset(("role", "content", "tool_call_id")),
}
# flaws after which the order of messages can't be judged
UNSOUND = frozenset(("message_shape", "role", "legacy_functions"))


def is_plain(messages: Sequence[Any]) -> bool:
    """Tell quickly whether messages are what most are: flawless, with role and content alone.

    An answer of False says nothing; `message_faults` looks closer.
    """
    chat = chat_in(messages)
    return chat is not None and is_flawless(chat)


def message_faults(
    messages: Any,
    *,
    prefix: str = "messages",
    functions: Functions | None = None,
    parallel: bool = True,
) -> Iterator[Fault]:
    """Yield what is wrong with a list of messages, wherever it stands; `prefix` is its path in the row."""
    if not isinstance(messages, list):
        yield Fault("message_shape", f"`{prefix}` is {shown(messages)}, not a list of messages")
        return
    if is_plain(messages):
        return
    if not messages:
        yield Fault("empty_messages", f"`{prefix}` is empty")
        return
    sound = True
    for index, message in enumerate(messages):
        for fault in _message_faults(f"{prefix}[{index}]", message):
            sound = sound and fault.code not in UNSOUND
            yield fault
    if sound:
        yield from call_faults(messages, functions, parallel=parallel, prefix=prefix)
        yield from _order_faults(messages, prefix)


def ending_faults(messages: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    """Yield why nothing could be learned from sound messages."""
    last = f"messages[{len(messages) - 1}]"
    answers = [one for one in messages if one["role"] == "assistant"]
    if not answers:
        yield Fault("missing_assistant", "no message is the assistant's")
    elif messages[-1]["role"] != "assistant":
        yield Fault("last_not_assistant", f"the last message is the {messages[-1]['role']}'s", last)
    if answers and all(one.get("weight") == 0 for one in answers):
        yield Fault("nothing_to_learn", "every assistant message has the weight 0", last)


def has_system(messages: Sequence[Any]) -> bool:
    """Return whether a system (or developer) message is among them."""
    return any(isinstance(one, Mapping) and one.get("role") in ("system", "developer") for one in messages)


def _message_faults(place: str, message: Any) -> Iterator[Fault]:
    if not isinstance(message, Mapping):
        yield Fault("message_shape", f"{place} is no object", place)
        return
    role = message.get("role")
    if role == "function" or "function_call" in message:
        what = "the role 'function'" if role == "function" else "`function_call`"
        yield Fault("legacy_functions", f"{place} has {what}, the older form of tools", place)
        return
    if not isinstance(role, str) or role not in ROLES:
        near = nearest(role, list(ROLES)) if isinstance(role, str) else None
        words = f"{place}.role is {shown(role)}" if "role" in message else f"{place} has no role"
        yield Fault("role", words + (f"; the nearest is {near!r}" if near else ""), place)
        return
    yield from _key_faults(place, role, message)
    yield from _content_faults(place, role, message)
    name = message.get("name", "-")
    if not isinstance(name, str) or not name.strip():
        yield Fault("name", f"{place}.name is {shown(name)}", place)
    weight = message.get("weight", 0)
    if isinstance(weight, (bool, float)) or weight not in (0, 1):
        yield Fault("weight", f"{place}.weight is {shown(weight)}", place)


def _key_faults(place: str, role: str, message: Mapping[str, Any]) -> Iterator[Fault]:
    for key in message.keys() - KEYS[role]:
        if key == "weight":
            yield Fault("weight", f"{place}.weight stands at a message of the {role}", place)
        elif key in ("tool_calls", "tool_call_id"):
            owner = "assistant" if key == "tool_calls" else "tool"
            words = f"{place} ({role}) has {key!r}, which belongs to messages of the {owner}"
            yield Fault("unknown_key", words, place)
        else:
            near = nearest(key, sorted(KEYS[role]))
            words = f"; the nearest known is {near!r}" if near else ""
            yield Fault("unknown_key", f"{place} ({role}) has the unknown key {key!r}{words}", place)


def _content_faults(place: str, role: str, message: Mapping[str, Any]) -> Iterator[Fault]:
    content = message.get("content")
    may_be_empty = (role == "tool" and content == "") or bool(message.get("tool_calls"))
    if content is None or isinstance(content, str):
        if not may_be_empty and not (content and content.strip()):
            yield Fault("empty_content", f"{place} ({role}): the content is empty", place)
    elif isinstance(content, list):
        yield from part_faults(place, role, content)
    else:
        yield Fault("content_type", f"{place}.content is {shown(content)}, not a text", place)


def _order_faults(messages: Sequence[Mapping[str, Any]], prefix: str) -> Iterator[Fault]:
    behind = False
    for index, message in enumerate(messages):
        if message["role"] not in ("system", "developer"):
            behind = True
        elif behind:
            words = f"{prefix}: a {message['role']} message stands behind others"
            yield Fault("late_system", words, f"{prefix}[{index}]")
            return
