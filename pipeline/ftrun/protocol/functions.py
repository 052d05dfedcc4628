"""The functions that a row declares: the form of `tools`, their JSON Schemas, arguments against them.

A list of tools is looked at once, however many rows repeat it. No schema is fetched from anywhere, and its
patterns are tried in a process that can be killed, because data may be somebody else's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ftrun.experiment.templates.patterns import Patterns
from ftrun.protocol.faults import Fault, nearest, shown
from ftrun.untrusted import CapError, Capped

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
FUNCTION_KEYS = ("name", "description", "parameters", "strict")
NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
PATTERN_SECONDS = 0.5
MOST_FAULTS = 20  # told of one schema or one call: the rest follows from these
KINDS = {"object": "an object", "array": "a list", "string": "a text", "integer": "a whole number",
         "number": "a number", "boolean": "true or false", "null": "null"}  # fmt: skip


class Functions(NamedTuple):
    """What a list of tools declares. `schemas` has None for a function whose schema is no schema."""

    faults: tuple[Fault, ...]
    schemas: Mapping[str, Mapping[str, Any] | None]


NO_FUNCTIONS = Functions((), {})


def functions_of(tools: Any, place: str = "tools") -> Functions:
    """Return what `tools` declares and what is wrong with it; `place` is its path in the row."""
    return _functions(json.dumps(tools), place)


@lru_cache(maxsize=64)
def _functions(text: str, place: str) -> Functions:
    tools = json.loads(text)
    if not isinstance(tools, list) or not tools:
        words = "is empty" if tools == [] else f"is {shown(tools)}, not a list"
        return Functions((Fault("tools", f"{place} {words}"),), {})
    faults: list[Fault] = []
    schemas: dict[str, Mapping[str, Any] | None] = {}
    for index, tool in enumerate(tools):
        here = f"{place}[{index}]"
        found = list(_form_faults(here, tool))
        faults += found
        if found:
            continue
        function = tool["function"]
        if function["name"] in schemas:
            faults.append(
                Fault("duplicate_tool", f"{here}.function.name {function['name']!r} is declared twice")
            )
            continue
        broken = list(_schema_faults(f"{here}.function.parameters", function))
        faults += broken
        schemas[function["name"]] = None if broken else function.get("parameters", NO_PARAMETERS)
    return Functions(tuple(faults), schemas)


def _form_faults(place: str, tool: Any) -> Iterator[Fault]:
    if not isinstance(tool, dict):
        yield Fault("tools", f"{place} is {shown(tool)}, not an object")
        return
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, dict):
        if isinstance(tool.get("name"), str):  # a bare function, or the form of the Responses API
            hint = 'Put it one level deeper: {"type": "function", "function": {"name": ..., ...}}.'
            yield Fault("tools", f"{place} holds the function itself; it belongs under `function`", hint=hint)
        else:
            yield Fault("tools", f"{place} is no function: type is {shown(tool.get('type'))}")
        return
    for key in tool.keys() - {"type", "function"}:
        yield Fault("tools", f"{place} has the unknown key {key!r}")
    name = function.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        words = "is missing" if name is None else f"is {shown(name)}: 1 to 64 of a-z, A-Z, 0-9, _ and -"
        yield Fault("tools", f"{place}.function.name {words}")
    for key in function.keys() - set(FUNCTION_KEYS):
        near = nearest(key, list(FUNCTION_KEYS))
        words = f"; the nearest known is {near!r}" if near else ""
        yield Fault("tools", f"{place}.function has the unknown key {key!r}{words}")
    if not isinstance(function.get("description", ""), str):
        yield Fault("tools", f"{place}.function.description is no text")
    if not isinstance(function.get("strict"), bool | None):
        yield Fault("tools", f"{place}.function.strict is {shown(function['strict'])}, not true or false")


def _schema_faults(place: str, function: Mapping[str, Any]) -> Iterator[Fault]:
    schema = function.get("parameters", NO_PARAMETERS)
    if not isinstance(schema, dict):
        yield Fault("tool_schema", f"{place} is {shown(schema)}, not a JSON Schema")
        return
    from jsonschema.validators import Draft202012Validator, validator_for

    checker = validator_for(schema, default=Draft202012Validator)
    meta = checker(checker.META_SCHEMA, format_checker=checker.FORMAT_CHECKER)
    try:
        errors = list(meta.iter_errors(schema))
    except RecursionError:
        yield Fault("tool_schema", f"{place} is nested too deeply")
        return
    for error in errors[:MOST_FAULTS]:
        yield Fault("tool_schema", _words(place, error, "JSON Schema"))
    if not errors and schema.get("type") != "object":
        yield Fault("tool_schema", f'{place}.type is {shown(schema.get("type"))}; it must be "object"')
    properties = schema.get("properties", {})
    for name in schema.get("required", ()) if not errors else ():
        if name not in properties:
            yield Fault(
                "tool_schema",
                f"{place}.required names {name!r}, which is no property{_near(name, properties)}",
            )


def argument_faults(place: str, name: str, schema: Mapping[str, Any], arguments: Any) -> Iterator[Fault]:
    """Yield how `arguments` break the `schema` of the function `name`."""
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        errors = list(_validator(schema).iter_errors(arguments))
    except RecursionError:
        yield Fault("tool_arguments", f"{place} is nested too deeply", place)
        return
    except Unresolvable as missing:
        words = f"the parameters of {name} refer to {missing.ref!r}, which is not there"
        yield Fault("tool_schema", words, place)
        return
    for error in errors[:MOST_FAULTS]:
        inner = best_match([error]) if error.context else error
        for words in _sentences(place, inner, name):
            yield Fault("arguments_schema", words, place)


def _validator(schema: Mapping[str, Any]) -> Any:
    from jsonschema.validators import Draft202012Validator, extend, validator_for
    from referencing import Registry

    own = {"pattern": _pattern, "patternProperties": _pattern_properties, "additionalProperties": _additional}
    chosen = extend(  # type: ignore[no-untyped-call]
        validator_for(schema, default=Draft202012Validator), own
    )
    # an empty registry: jsonschema would otherwise fetch a $ref that is an address
    return chosen(schema, registry=Registry())


_patterns = Capped(Patterns)
_given_up: list[CapError] = []  # once a pattern took too long, no more are tried


def _matches(pattern: str, text: str) -> bool:
    try:
        found = True if _given_up else _patterns.call("search", pattern, text, PATTERN_SECONDS)
    except TimeoutError:
        return True
    except CapError as error:
        _given_up.append(error)
        return True
    return found is not False  # a pattern that can't be judged accuses nobody


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError("does not match")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[Any]:
    for pattern, inner in patterns.items() if isinstance(instance, dict) else ():
        for key, value in instance.items():
            if _matches(pattern, key):
                yield from validator.descend(value, inner, path=key, schema_path=pattern)


def _additional(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key in instance if isinstance(instance, dict) else ():
        if key in known or any(_matches(pattern, key) for pattern in patterns):
            continue
        if isinstance(allowed, dict):
            yield from validator.descend(instance[key], allowed, path=key)
        elif allowed is False:
            yield ValidationError("not allowed", path=[key], instance=instance[key])


def _sentences(place: str, error: Any, name: str) -> Iterator[str]:
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        for key in missing:
            there = f"{_path(place, error)} has no {key!r}, which {name} requires"
            yield there + _near(key, error.instance, "there is")
        return
    yield _words(place, error, name)


def _words(place: str, error: Any, name: str) -> str:
    """Return one error of jsonschema in words: the field, its value, what is allowed and what is near."""
    here, value, wanted = _path(place, error), shown(error.instance), error.validator_value
    match error.validator:
        case "enum" | "const":
            allowed = wanted if error.validator == "enum" else [wanted]
            listed = ", ".join(json.dumps(one, ensure_ascii=False) for one in allowed[:10])
            more = ", …" if len(allowed) > 10 else ""
            return (
                f"{here} is {value}, which {name} does not allow{_near(error.instance, allowed)}"
                f" (allowed: {listed}{more})"
            )
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else wanted
            return f"{here} is {value}; {name} wants {' or '.join(KINDS.get(one, one) for one in kinds)}"
        case "additionalProperties":
            key = error.path[-1] if error.path else ""
            return f"{here} is no parameter of {name}{_near(key, error.schema.get('properties', {}))}"
        case "anyOf" if name == "JSON Schema" and error.path and error.path[-1] == "type":
            near = _near(error.instance, list(KINDS))
            return f"{here} is {value}, which is no type{near} (allowed: {', '.join(KINDS)})"
    limit = shown(wanted)
    return f"{here} is {value}: {name} asks for {error.validator} {limit}"


def _path(place: str, error: Any) -> str:
    steps = error.absolute_path
    return place + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _near(value: Any, known: Any, words: str = "the nearest is") -> str:
    near = nearest(value, [one for one in known if isinstance(one, str)]) if isinstance(value, str) else None
    return "" if near is None else f"; {words} {json.dumps(near, ensure_ascii=False)}"
