"""What a rehearsal answers: values that a JSON Schema allows, and log probabilities that are made up."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ftrun.engine.questions import LikelyToken, TokenScore, ToolCall, Tools

WORD = "rehearsal"
MOST_LEVELS = 16  # of a schema that refers to itself


def example_json(schema: Mapping[str, Any] | None) -> str:
    """Return JSON that `schema` allows, as far as types, required keys, choices and lengths say it."""
    return json.dumps({} if schema is None else _example(schema, schema, 0), ensure_ascii=False)


def calls_of(tools: Tools) -> list[ToolCall]:
    """Return the call that has to be made: of the only function, or of the first."""
    chosen = [one for one in tools.functions if tools.only in (None, one["name"])]
    return [ToolCall(name=one["name"], arguments=example_json(one["parameters"])) for one in chosen[:1]]


def score_of(text: str, top: int) -> TokenScore:
    """Return the score of a token: the longer, the less likely; what is likely beside it is never said."""
    likely = [_token(text, 0), *(_token(f"({place})", place) for place in range(1, top))]
    return TokenScore(text=text, bytes=list(text.encode()), logprob=likely[0].logprob, top=likely[:top])


def _token(text: str, place: int) -> LikelyToken:
    return LikelyToken(text=text, bytes=list(text.encode()), logprob=math.log(0.5) * (place + 1))


def _example(schema: Any, root: Mapping[str, Any], level: int) -> Any:
    if not isinstance(schema, Mapping) or level > MOST_LEVELS:
        return None
    if "$ref" in schema:
        return _example(_target(schema["$ref"], root), root, level + 1)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if among := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return _example(among[0], root, level + 1)
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "object":
        known = schema.get("properties", {})
        required = schema.get("required", ())
        return {name: _example(known.get(name, {}), root, level + 1) for name in required}
    if kind == "array":
        return [_example(schema.get("items", {}), root, level + 1)] * schema.get("minItems", 1)
    if kind == "string":
        return WORD.ljust(schema.get("minLength", 0), "…")[: schema.get("maxLength")]
    number = schema.get("minimum", schema.get("maximum", 0))
    return {"integer": math.ceil(number), "number": float(number), "boolean": True}.get(kind)


def _target(reference: str, root: Mapping[str, Any]) -> Any:
    """Return what a reference within the schema, such as `#/$defs/Step`, points to."""
    found: Any = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(name, {}) if name else found
    return found
