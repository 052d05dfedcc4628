"""The functions that a row declares: the form of `tools`, their JSON Schemas, arguments checked against them.

A list of tools is checked once, however many rows repeat it. No schema is ever fetched, and patterns are
searched for in a process that can be killed, because the data may be somebody else's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

from ftrun.protocol.faults import Fault, did_you_mean, shown
from ftrun.untrusted import CapError, Capped

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
FUNCTION_KEYS = ("name", "description", "parameters", "strict")
NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
PATTERN_SECONDS = 0.5
MOST_FAULTS = 20  # reported for one schema or call: more say nothing new
TYPES = {"object": "an object", "array": "a list", "string": "a string", "integer": "an integer",
         "number": "a number", "boolean": "true or false", "null": "null"}  # fmt: skip


class Functions(NamedTuple):
    """What a list of tools declares. `schemas` has None for a function whose schema is not valid."""

    faults: tuple[Fault, ...]
    schemas: Mapping[str, Mapping[str, Any] | None]


def functions_of(tools: Any, place: str = "tools") -> Functions:
    """Return what `tools` declares and what is wrong with it; `place` is its path in the row."""
    return _functions(json.dumps(tools), place)  # as text, since lists can't be keys of a cache


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
            yield Fault("tools", f"{place} is the function itself, which belongs under `function`", hint=hint)
        else:
            yield Fault("tools", f"{place} is not a function: its type is {shown(tool.get('type'))}")
        return
    for key in tool.keys() - {"type", "function"}:
        yield Fault("tools", f"{place} has the unknown key {key!r}")
    name = function.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        words = "is missing" if name is None else f"is {shown(name)}; allowed: 1 to 64 of a-z, A-Z, 0-9, _, -"
        yield Fault("tools", f"{place}.function.name {words}")
    for key in function.keys() - set(FUNCTION_KEYS):
        near = did_you_mean(key, FUNCTION_KEYS)
        yield Fault("tools", f"{place}.function has the unknown key {key!r}{near}")
    if not isinstance(function.get("description", ""), str):
        yield Fault("tools", f"{place}.function.description is not a string")
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
                f"{place}.required lists {name!r}, which is not a property{_near(name, properties)}",
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
        words = f"the parameters of {name} refer to {missing.ref!r}, which does not exist"
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


@cache
def _patterns() -> Capped:
    from ftrun.scoring.texts.patterns import Patterns  # the engine loads no experiment code

    return Capped(Patterns)


_given_up: list[CapError] = []  # once a pattern took too long, no more are tried


def _matches(pattern: str, text: str) -> bool:
    """Return whether a pattern is found in a text; True if it can't be searched for."""
    try:
        return bool(_given_up) or _patterns().call("search", pattern, text, PATTERN_SECONDS) is not False
    except TimeoutError:
        return True
    except CapError as error:
        _given_up.append(error)
        return True


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
            words = f"{_path(place, error)} has no {key!r}, which {name} requires"
            yield words + _near(key, error.instance)
        return
    yield _words(place, error, name)


def _words(place: str, error: Any, name: str) -> str:
    """Describe an error of jsonschema: the field, its value, what is allowed, and what was probably meant."""
    here, value, wanted = _path(place, error), shown(error.instance), error.validator_value
    match error.validator:
        case "enum" | "const":
            allowed = wanted if error.validator == "enum" else [wanted]
            listed = ", ".join(json.dumps(one, ensure_ascii=False) for one in allowed[:10])
            more = ", …" if len(allowed) > 10 else ""
            near = _near(error.instance, allowed)
            return f"{here} is {value}, which {name} does not allow (allowed: {listed}{more}){near}"
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else wanted
            return f"{here} is {value}; {name} expects {' or '.join(TYPES.get(one, one) for one in kinds)}"
        case "additionalProperties":
            key = error.path[-1] if error.path else ""
            return f"{here} is not a parameter of {name}{_near(key, error.schema.get('properties', {}))}"
        case "anyOf" if name == "JSON Schema" and error.path and error.path[-1] == "type":
            near = _near(error.instance, TYPES)
            return f"{here} is {value}, which is not a type (allowed: {', '.join(TYPES)}){near}"
    return f"{here} is {value}: {name} requires {error.validator} {shown(wanted)}"


def _path(place: str, error: Any) -> str:
    steps = error.absolute_path
    return place + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _near(value: Any, known: Any) -> str:
    texts = (one for one in known if isinstance(one, str))
    return did_you_mean(value, texts) if isinstance(value, str) else ""
