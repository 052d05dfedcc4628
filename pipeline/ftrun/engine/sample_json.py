"""Values that a JSON Schema allows, made up for rehearsals: the smallest ones, always the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXT = "rehearsal"
DEEPEST = 20  # a schema that requires itself has no value
MOST_VALUES, LONGEST_TEXT = 10_000, 100_000  # more would hold up the other questions


def sample_value(schema: Any) -> Any:
    """Return a value for a schema, which fits it unless the schema has patterns, formats and the like.

    Raises ValueError if there is none, or only a large one.
    """
    return _Sample(schema).value(schema, 0)


class _Sample:
    """A value that is being made up for the schema `root`."""

    def __init__(self, root: Any) -> None:
        self._root, self._left = root, MOST_VALUES

    def value(self, schema: Any, depth: int) -> Any:
        self._left -= 1
        if schema is False or depth > DEEPEST or self._left < 0:
            raise ValueError("no value fits this schema")
        if not isinstance(schema, Mapping):
            return TEXT
        if "$ref" in schema:
            return self.value(_referenced(schema["$ref"], self._root), depth + 1)
        if "const" in schema:
            return schema["const"]
        for given in ("enum", "examples"):
            if schema.get(given):
                return schema[given][0]
        if "default" in schema:
            return schema["default"]
        for choice in ("anyOf", "oneOf"):
            if schema.get(choice):
                return self.value(schema[choice][0], depth + 1)
        if schema.get("allOf"):
            parts = [self.value(part, depth + 1) for part in schema["allOf"]]
            return {
                name: value for part in parts if isinstance(part, Mapping) for name, value in part.items()
            }
        return self._of_type(schema, depth)

    def _of_type(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = kind[0]
        if kind == "object":
            properties = schema.get("properties", {})
            return {
                name: self.value(properties.get(name, {}), depth + 1) for name in schema.get("required", ())
            }
        if kind == "array":
            least = schema.get("minItems", 0)
            return [self.value(schema.get("items", {}), depth + 1) for _ in range(least)]
        if kind in ("integer", "number"):
            return schema.get("minimum", schema.get("maximum", 1))
        if kind == "boolean":
            return True
        if kind == "null":
            return None
        if schema.get("minLength", 0) > LONGEST_TEXT:
            raise ValueError("no value fits this schema")
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
