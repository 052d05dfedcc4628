"""The tool calls of an example: each must name a declared function, fit its schema, and be answered.

The form of the messages was checked before: each is an object with a known role.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftrun.protocol.faults import Fault, did_you_mean, nearest, shown
from ftrun.protocol.functions import Functions, argument_faults


def call_faults(
    messages: Sequence[Mapping[str, Any]], functions: Functions | None, *, parallel: bool, prefix: str
) -> Iterator[Fault]:
    """Yield what is wrong with calls and answers; `functions` is None where the row declares no tools."""
    waiting: dict[str, str] = {}  # call id -> its place
    seen: set[str] = set()
    for index, message in enumerate(messages):
        here = f"{prefix}[{index}]"
        if message["role"] == "tool":
            yield from _answer_faults(here, message, waiting, seen)
            continue
        yield from _unanswered(waiting, here)
        waiting.clear()
        if message.get("tool_calls") is not None:
            yield from _calls_faults(here, message["tool_calls"], functions, waiting, seen)
            if len(waiting) > 1 and not parallel:
                words = f"{here}.tool_calls has {len(waiting)} calls, but `parallel_tool_calls` is false"
                yield Fault("parallel_calls", words, f"{here}.tool_calls")
    if messages and messages[-1]["role"] == "tool":
        yield from _unanswered(waiting, "the end")


def _unanswered(waiting: Mapping[str, str], until: str) -> Iterator[Fault]:
    for call, place in waiting.items():
        yield Fault("unanswered_call", f"{place} ({call!r}) has no answer before {until}", place)


def _answer_faults(
    here: str, message: Mapping[str, Any], waiting: dict[str, str], seen: set[str]
) -> Iterator[Fault]:
    call = message.get("tool_call_id")
    if not isinstance(call, str) or not call:
        words = f"is {shown(call)}, not a string" if "tool_call_id" in message else "is missing"
        yield Fault("orphan_tool_message", f"{here}.tool_call_id {words}", here)
    elif waiting.pop(call, None) is None:
        if call in seen:
            words = "answers a call that already has an answer, or comes too late"
        else:
            near = nearest(call, waiting) or next(iter(waiting), None)
            words = "answers no call of the message before" + (f"; did you mean {near!r}?" if near else "")
        yield Fault("orphan_tool_message", f"{here}.tool_call_id {call!r} {words}", here)


def _calls_faults(
    here: str, calls: Any, functions: Functions | None, waiting: dict[str, str], seen: set[str]
) -> Iterator[Fault]:
    if not isinstance(calls, list) or not calls:
        words = "is empty" if calls == [] else f"is {shown(calls)}, not a list"
        yield Fault("tool_calls", f"{here}.tool_calls {words}", here)
        return
    for number, call in enumerate(calls):
        place = f"{here}.tool_calls[{number}]"
        if not isinstance(call, Mapping) or not isinstance(call.get("function"), Mapping):
            yield Fault("tool_calls", f"{place} is not a call: it has no `function`", place)
            continue
        yield from _form_faults(place, call)
        name = call.get("id")
        if isinstance(name, str) and name:
            if name in seen:
                yield Fault("tool_calls", f"{place}.id {name!r} is used by an earlier call", place)
            seen.add(name)
            waiting[name] = place
        yield from _function_faults(f"{place}.function", call["function"], functions)


def _form_faults(place: str, call: Mapping[str, Any]) -> Iterator[Fault]:
    if not isinstance(call.get("id"), str) or not call["id"]:
        words = f"is {shown(call['id'])}, not a string" if "id" in call else "is missing"
        yield Fault("tool_calls", f"{place}.id {words}", place)
    if call.get("type") != "function":
        words = f'is {shown(call["type"])}; it must be "function"' if "type" in call else "is missing"
        yield Fault("tool_calls", f"{place}.type {words}", place)
    for key in call.keys() - {"id", "type", "function", "index"}:
        yield Fault("tool_calls", f"{place} has the unknown key {key!r}", place)
    if "index" in call:
        hint = "Delete `index`: it belongs to streamed answers."
        yield Fault("tool_calls", f"{place} has the key 'index'", place, hint)


def _function_faults(place: str, function: Mapping[str, Any], functions: Functions | None) -> Iterator[Fault]:
    for key in function.keys() - {"name", "arguments"}:
        yield Fault("tool_calls", f"{place} has the unknown key {key!r}", place)
    name = function.get("name")
    schema: Mapping[str, Any] | None = None
    if not isinstance(name, str) or not name:
        yield Fault("tool_calls", f"{place}.name is {shown(name)}, not the name of a function", place)
    elif functions is None:
        words = f"{place}.name is {name!r}, but the row has no `tools`"
        yield Fault("undeclared_function", words, place)
    elif name not in functions.schemas:
        if not functions.faults:  # otherwise this follows from a fault of `tools`
            near = did_you_mean(name, functions.schemas)
            words = f"{place}.name is {name!r}, which `tools` does not declare{near}"
            yield Fault("undeclared_function", words, place)
    else:
        schema = functions.schemas[name]
    yield from _arguments_faults(f"{place}.arguments", name, function.get("arguments"), schema)


def _arguments_faults(place: str, name: Any, text: Any, schema: Mapping[str, Any] | None) -> Iterator[Fault]:
    if not isinstance(text, str):
        words = "is missing" if text is None else f"is {shown(text)}; it must be a string of JSON"
        hint = None if text is None else f"Write it as a string: {shown(shown(text))}"
        yield Fault("tool_arguments", f"{place} {words}", place, hint)
        return
    try:
        arguments = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        yield Fault("tool_arguments", f"{place} is nested too deeply", place)
        return
    except ValueError as error:
        words = str(getattr(error, "msg", error))
        words += f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        yield Fault("tool_arguments", f"{place} is not valid JSON ({words}): {shown(text)}", place)
        return
    if not isinstance(arguments, dict):
        yield Fault("tool_arguments", f"{place} holds {shown(arguments)}, not an object", place)
    elif schema is not None:
        yield from argument_faults(place, name, schema, arguments)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")
