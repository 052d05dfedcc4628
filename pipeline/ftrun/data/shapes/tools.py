"""Functions and their calls in other forms than the API's: tools, calls, and the tags of Hermes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ftrun.data.shapes.values import ShapeFault, as_text, decoded, several
from ftrun.protocol.faults import shown

TOOLS = re.compile(r"<tools>(.*?)</tools>", re.DOTALL)
CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
MENTION = re.compile(r"<(tools|tool_call)>(?:\s|\.\.\.)*</\1>")  # of the tags, without anything in them
RESPONSE = re.compile(r"<tool_response>(.*?)(?:</tool_response>|\Z)", re.DOTALL)
SCHEMA = re.compile(r"\{[^\n]*FunctionCall[^\n]*\}")
CUT = "\x00"
SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")
OF_TAGS = re.compile(  # what Hermes' system prompt says of its tags: with `tools` the server does that
    r"</?tools?>|</?tool_call|</?tool_response|pydantic|FunctionCall|function signatures|"
    r"^Here are the available tools",
    re.IGNORECASE,
)
ARGUMENTS = ("arguments", "parameters", "args", "input")
TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "dict": "object"}
KNOWN = ("object", "array", "string", "integer", "number", "boolean", "null")
LISTS = ("list", "tuple", "set")
TOOLS_FIX = "Write a list of functions, or that list as JSON text."
CALL_FIX = 'Write a call as {"name": "...", "arguments": {...}}, or several of them as a list.'


def tools_of(value: Any, place: str) -> list[Any]:
    """Return a list of tools as the API takes it; functions on their own are put one level deeper."""
    found = decoded(value)
    if isinstance(found, str):
        found = several(found) if found.strip() else []
    if isinstance(found, Mapping):
        found = [found]
    if not isinstance(found, list):
        raise ShapeFault(f"{place} is {shown(value)}, not a list of functions", TOOLS_FIX)
    return [_tool(one) for tool in found for one in _declared(decoded(tool))]


def _declared(tool: Any) -> list[Any]:
    """Return the functions of a tool as Gemini writes it, whose types have upper case; else the tool."""
    inner = (
        tool.get("functionDeclarations", tool.get("function_declarations"))
        if isinstance(tool, dict)
        else None
    )
    return [_lower(one) for one in inner] if isinstance(inner, list) else [tool]


def _lower(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_lower(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: value.lower() if key == "type" and isinstance(value, str) else _lower(value)
        for key, value in schema.items()
    }


def _tool(tool: Any) -> Any:
    if not isinstance(tool, Mapping):
        return tool
    if isinstance(tool.get("function"), Mapping):
        return {"type": "function", "function": dict(tool["function"])}
    if not isinstance(tool.get("name"), str):
        return tool
    function = {key: value for key, value in tool.items() if key != "type" and value is not None}
    if "parameters" not in function:
        schema = next((function.pop(key) for key in ("input_schema", "inputSchema") if key in function), None)
        function |= {} if schema is None else {"parameters": schema}
    if isinstance(parameters := decoded(function.get("parameters")), Mapping):
        function["parameters"] = _schema(parameters)
    return {"type": "function", "function": function}


def _schema(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return parameters as a JSON Schema; xLAM lists properties only, with the types of Python."""
    if not parameters:
        return {"type": "object", "properties": {}}
    if "type" in parameters and not isinstance(parameters["type"], Mapping):
        return parameters
    if "properties" in parameters or not all(isinstance(one, Mapping) for one in parameters.values()):
        return {"type": "object", **parameters}
    required = [name for name, one in parameters.items() if _is_required(one)]
    properties = {name: _property(one) for name, one in parameters.items()}
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _is_required(one: Mapping[str, Any]) -> bool:
    return "default" not in one and "optional" not in str(one.get("type", "")).lower()


def _property(one: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in one.items() if key != "required"}
    if not isinstance(one.get("type"), str):
        return found
    name = one["type"].split(",")[0].strip()
    name = re.sub(r"^Optional\[(.*)\]$", r"\1", name)
    word = re.split(r"[\[\s]", name)[0].lower()
    kind = "array" if word in LISTS else TYPES.get(word, word)
    return {**found, "type": kind} if kind in KNOWN else {key: found[key] for key in found if key != "type"}


def calls_of(value: Any, place: str) -> list[tuple[str | None, str, str]]:
    """Return (id if there is one, name, arguments as JSON text) of each call that a value holds."""
    found = several(value) if isinstance(value, str) else value
    if isinstance(found, Mapping):
        found = [found]
    if not isinstance(found, list) or not found:
        raise ShapeFault(f"{place} is {shown(value)}, not a call of a function", CALL_FIX)
    return [_call(decoded(one), place) for one in found]


def _call(call: Any, place: str) -> tuple[str | None, str, str]:
    inner = decoded(call.get("function")) if isinstance(call, Mapping) else None
    function = inner if isinstance(inner, Mapping) else call
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str) or not name:
        raise ShapeFault(f"{place} has a call without the name of a function: {shown(call)}", CALL_FIX)
    given: Any = next((function[key] for key in ARGUMENTS if function.get(key) is not None), {})
    held = decoded(given)
    # a text that is JSON is kept as it was written; other texts stay for the check of arguments
    text = given if isinstance(given, str) and given.strip() else as_text({} if held == "" else held)
    if isinstance(given, str) and isinstance(held, Mapping) and "'" in given[:3]:
        text = as_text(held)
    name_of_call = call.get("id")
    return (name_of_call if isinstance(name_of_call, str) and name_of_call else None), name, text


def tagged_calls(text: str, place: str) -> tuple[str, list[Any]]:
    """Return a text without its `<tool_call>` blocks, and the calls in these."""
    calls: list[Any] = []
    for block in CALL.findall(text):
        found = several(block)
        if found is None:
            raise ShapeFault(f"{place} has a <tool_call> that is not JSON: {shown(block.strip())}", CALL_FIX)
        calls += found
    return (CALL.sub("", text).strip() if calls else text), calls


def tagged_responses(text: str) -> list[tuple[str | None, str]]:
    """Return (name of the function if it is said, result) of each `<tool_response>` block."""
    return [_response(block.strip()) for block in RESPONSE.findall(text)]


def _response(block: str) -> tuple[str | None, str]:
    found = decoded(block)
    if (
        isinstance(found, Mapping)
        and "content" in found
        and found.keys() <= {"name", "content", "tool_call_id"}
    ):
        name = found.get("name")
        return (name if isinstance(name, str) else None), as_text(found["content"])
    return None, block


def tagged_tools(text: str, place: str) -> tuple[str, list[Any]]:
    """Return a system prompt without its `<tools>` and what it says of tags, and the tools."""
    tools: list[Any] = []
    original, text = text, MENTION.sub(r"</\1>", text)
    for block in TOOLS.findall(text):
        found = several(block)
        if found is None:
            raise ShapeFault(f"{place} has <tools> that are not JSON: {shown(block.strip())}", TOOLS_FIX)
        tools += found
    if not tools and "tool_call>" not in text:
        return original, []
    for block in (TOOLS, CALL, SCHEMA):
        text = block.sub(f"\n{CUT}\n", text)
    kept: list[str] = []
    for one in filter(None, map(str.strip, SENTENCE.split(text))):
        cut = one == CUT or OF_TAGS.search(one) is not None
        if cut and kept and kept[-1].endswith((":", "：")):
            kept.pop()  # it introduced what is cut
        if not cut:
            kept.append(one)
    return " ".join(kept), tools_of(tools, place) if tools else []
