"""The functions that a model may call, as a request declares and chooses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftrun.engine.api.body import Body
from ftrun.engine.questions import Tools

MOST_TOOLS = 128
MODES = ("none", "auto", "required")


def read_tools(body: Body, *, nested: bool) -> Tools | None:
    """Return the tools of a request; None if it has none.

    A function is `nested` below `function` in /v1/chat/completions, and not in /v1/responses.
    """
    declared = body.objects("tools")
    if len(declared) > MOST_TOOLS:
        body.refuse("tools", f"must have at most {MOST_TOOLS} tools, not {len(declared)}.")
    functions = [_function(tool, nested) for tool in declared]
    names = [function["name"] for function in functions]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        body.refuse("tools", f"has two functions named '{twice}'.")
    parallel = body.flag("parallel_tool_calls", default=True)
    return _chosen(body, Tools(functions=functions, parallel=parallel), nested)


def _function(tool: Body, nested: bool) -> Mapping[str, Any]:
    kind = tool.take("type")
    if kind != "function":
        tool.refuse(
            "type",
            f"must be 'function', not {kind!r}: this engine has no other tools.",
            code="unsupported_value",
        )
    function = tool.required_object("function") if nested else tool
    name, description = function.required_name("name"), function.text("description")
    parameters, strict = function.object("parameters"), function.flag("strict")
    function.done(unsupported=("allowed_callers", "async", "defer_loading", "output_schema"))
    tool.done()
    return {
        "name": name,
        **({} if description is None else {"description": description}),
        "parameters": {"type": "object", "properties": {}} if parameters is None else parameters.values,
        "strict": strict,
    }


def _chosen(body: Body, tools: Tools, nested: bool) -> Tools | None:
    """Return the tools with what tool_choice says about them."""
    choice = body.take("tool_choice")
    if not tools.functions:
        if choice not in (None, "none", "auto"):
            body.refuse("tool_choice", "needs `tools`.")
        return None
    if choice is None or choice in MODES:
        return replace(tools, mode=choice or "auto")
    if not isinstance(choice, dict):
        body.refuse("tool_choice", f"must be one of {', '.join(MODES)}, or name a function.")
    reader = Body(choice, body.param("tool_choice"))
    names = [function["name"] for function in tools.functions]
    kind = reader.choice("type", ("function", "allowed_tools"))
    if kind == "allowed_tools":
        return _allowed(reader, tools, names, nested)
    only = _named(reader, names, nested)
    reader.done()
    return replace(tools, mode="required", only=only)


def _allowed(reader: Body, tools: Tools, names: Sequence[str], nested: bool) -> Tools:
    """Return only the tools of a choice `allowed_tools`."""
    inner = reader.required_object("allowed_tools") if nested else reader
    mode = inner.choice("mode", ("auto", "required"))
    allowed = []
    for tool in inner.objects("tools"):
        tool.choice("type", ("function",))
        allowed.append(_named(tool, names, nested))
        tool.done()
    if not allowed:
        inner.refuse("tools", "must name at least one function.")
    inner.done()
    reader.done()
    functions = [function for function in tools.functions if function["name"] in allowed]
    return replace(tools, functions=functions, mode="required" if mode == "required" else "auto")


def _named(reader: Body, names: Sequence[str], nested: bool) -> str:
    """Return the name of a declared function."""
    inner = reader.required_object("function") if nested else reader
    name = inner.required_text("name")
    if name not in names:
        inner.refuse("name", f"'{name}' is not a function of `tools`.")
    if nested:
        inner.done()
    return name
