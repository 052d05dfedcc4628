"""Counting the tokens of tools and tool calls, and of images, and whether such a count is exact.

Tools are counted by the recipe that OpenAI's cookbook publishes for functions ("How to count tokens with
tiktoken"): fixed numbers for a function, its properties and the values of an enum, and the texts between
them. It covers flat properties with a description, for the models it names; anything else is counted in the
same way and is an estimate. So are calls and images, for which nothing is published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

RECIPE = "openai-cookbook"
TOOLS, IMAGES = 4, 8  # bits of flags: what was estimated
PER_CALL = 3  # an estimate: a call is framed about as a message is
LOW_DETAIL = 85  # tokens of an image at detail low
USUAL_IMAGE = 765  # of one of 1024 x 1024 pixels at detail high: the size is unknown before it is fetched


class Numbers(NamedTuple):
    """The recipe's fixed numbers for a family of models."""

    function: int
    properties: int = 3
    property: int = 3
    enum: int = -3
    value: int = 3
    end: int = 12


FAMILIES: Mapping[str, Numbers] = {
    "gpt-4o": Numbers(7),
    "gpt-4o-mini": Numbers(7),
    "gpt-4": Numbers(10),
    "gpt-3.5-turbo": Numbers(10),
}
OTHERS = FAMILIES["gpt-4o"]


@dataclass(slots=True)
class Countable:
    """What is counted of an example: fixed tokens, and texts, of which those at `trained` are trained on.

    `flags` say which of it is an estimate: TOOLS, IMAGES.
    """

    fixed: int = 0
    texts: list[str] = field(default_factory=list)
    trained: list[int] = field(default_factory=list)
    flags: int = 0

    def add_tools(self, tools: Sequence[Mapping[str, Any]], family: str | None) -> None:
        """Add sound tools as models of a `family` (None: unknown) count them."""
        numbers = FAMILIES.get(family or "", OTHERS)
        exact = family in FAMILIES
        self.fixed += numbers.end
        for tool in tools:
            function = tool["function"]
            schema = function.get("parameters", {})
            self.fixed += numbers.function
            self.texts.append(f"{function['name']}:{_sentence(function)}")
            exact = exact and "description" in function
            exact = exact and schema.keys() <= {"type", "properties", "required", "additionalProperties"}
            self._add_properties(schema, numbers)
        if not exact:
            self.flags |= TOOLS

    def _add_properties(self, schema: Any, numbers: Numbers) -> bool:
        """Add the properties of a schema; return whether it has any."""
        found = schema.get("properties") if isinstance(schema, Mapping) else None
        if not isinstance(found, Mapping) or not found:
            return False
        self.fixed += numbers.properties
        for name, given in found.items():
            one = given if isinstance(given, Mapping) else {}
            self._add_property(name, one, numbers)
            for inner in (one, one.get("items")):
                if self._add_properties(inner, numbers):  # an object in an object is beyond the recipe
                    self.flags |= TOOLS
        return True

    def _add_property(self, name: str, one: Mapping[str, Any], numbers: Numbers) -> None:
        self.fixed += numbers.property
        if isinstance(one.get("enum"), list):
            self.fixed += numbers.enum + numbers.value * len(one["enum"])
            self.texts += map(str, one["enum"])
        kind = one.get("type")
        self.texts.append(f"{name}:{kind if isinstance(kind, str) else ''}:{_sentence(one)}")
        described = isinstance(kind, str) and "description" in one
        if not described or not one.keys() <= {"type", "description", "enum"}:
            self.flags |= TOOLS

    def add_calls(self, calls: Sequence[Mapping[str, Any]]) -> None:
        """Add the calls of a message: their names and arguments."""
        self.fixed += PER_CALL * len(calls)
        for call in calls:
            self.texts += (call["function"]["name"], call["function"]["arguments"])
        self.flags |= TOOLS

    def add_parts(self, parts: Sequence[Mapping[str, Any]]) -> None:
        """Add content in parts; images count by their usual size."""
        for part in parts:
            if part["type"] == "text":
                self.texts.append(part["text"])
            elif part["type"] == "image_url":
                self.fixed += LOW_DETAIL if part["image_url"].get("detail") == "low" else USUAL_IMAGE
                self.flags |= IMAGES


def _sentence(one: Mapping[str, Any]) -> str:
    return str(one.get("description", "")).removesuffix(".")
