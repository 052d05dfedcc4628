"""Values that a JSON Schema allows, made up for rehearsals: the smallest ones, always the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXT = "rehearsal"
DEEPEST = 20  # a schema that requires itself has no value


def sample_value(schema: Any) -> Any:
    """Return a value for a schema, which fits it unless the schema has patterns, formats and the like.

    Raises ValueError if there is none.
    """
    return _value(schema, schema, 0)


def _value(schema: Any, root: Any, depth: int) -> Any:
    if schema is False or depth > DEEPEST:
        raise ValueError("no value fits this schema")
    if not isinstance(schema, Mapping):
        return TEXT
    if "$ref" in schema:
        return _value(_referenced(schema["$ref"], root), root, depth + 1)
    if "const" in schema:
        return schema["const"]
    for given in ("enum", "examples"):
        if schema.get(given):
            return schema[given][0]
    if "default" in schema:
        return schema["default"]
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            return _value(schema[choice][0], root, depth + 1)
    if schema.get("allOf"):
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            merged |= _value_as_object(part, root, depth)
        return merged
    return _of_type(schema, root, depth)


def _value_as_object(part: Any, root: Any, depth: int) -> Mapping[str, Any]:
    value = _value(part, root, depth + 1)
    return value if isinstance(value, Mapping) else {}


def _of_type(schema: Mapping[str, Any], root: Any, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        properties = schema.get("properties", {})
        return {
            name: _value(properties.get(name, {}), root, depth + 1) for name in schema.get("required", ())
        }
    if kind == "array":
        return [_value(schema.get("items", {}), root, depth + 1) for _ in range(schema.get("minItems", 0))]
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("maximum", 1))
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    text = TEXT.ljust(schema.get("minLength", 0), ".")
    return text[: schema.get("maxLength", len(text))]


def _referenced(place: str, root: Any) -> Any:
    """Return what `#/a/b` points to; anything for a reference that leads elsewhere."""
    found = root
    for part in place.removeprefix("#").strip("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if key:
            found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found
