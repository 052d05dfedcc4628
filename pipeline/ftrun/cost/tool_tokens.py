"""Counting the tokens of tools and tool calls, and of images, and whether such a count is exact.

Tools are counted by the recipe that OpenAI's cookbook publishes for functions ("How to count tokens with
tiktoken"): fixed numbers for a function, its properties and the values of an enum, and the texts between
them. It covers flat properties with a description, for the models it names; anything else is counted in the
same way and is an estimate. So are calls and images, for which nothing is published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RECIPE = "openai-cookbook"
TOOLS, IMAGES = 4, 8  # bits of flags: what was estimated
PER_CALL = 3  # an estimate: a call is framed about as a message is
LOW_DETAIL = 85  # tokens of an image at detail low
USUAL_IMAGE = 765  # of one of 1024 x 1024 pixels at detail high: the size is unknown before it is fetched
# the recipe: tokens per function by family, and what is the same for all
PER_FUNCTION = {"gpt-4o": 7, "gpt-4o-mini": 7, "gpt-4": 10, "gpt-3.5-turbo": 10}
PER_FUNCTION_ELSE = 7
PROPERTY_KEYS = {"type", "description", "enum"}  # that the recipe covers
PER_PROPERTIES, PER_PROPERTY, PER_ENUM, PER_VALUE, END = 3, 3, -3, 3, 12


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
        exact = family in PER_FUNCTION
        self.fixed += END + PER_FUNCTION.get(family or "", PER_FUNCTION_ELSE) * len(tools)
        for tool in tools:
            function = tool["function"]
            schema = function.get("parameters", {})
            self.texts.append(f"{function['name']}:{_sentence(function)}")
            exact = exact and "description" in function
            exact = exact and schema.keys() <= {"type", "properties", "required", "additionalProperties"}
            self._add_properties(schema)
        self.flags |= 0 if exact else TOOLS

    def _add_properties(self, schema: Any) -> bool:
        """Add the properties of a schema; return whether it has any."""
        found = schema.get("properties") if isinstance(schema, Mapping) else None
        if not isinstance(found, Mapping) or not found:
            return False
        self.fixed += PER_PROPERTIES
        for name, given in found.items():
            one = given if isinstance(given, Mapping) else {}
            self._add_property(name, one)
            for inner in (one, one.get("items")):
                if self._add_properties(inner):  # an object in an object is beyond the recipe
                    self.flags |= TOOLS
        return True

    def _add_property(self, name: str, one: Mapping[str, Any]) -> None:
        self.fixed += PER_PROPERTY
        if isinstance(one.get("enum"), list):
            self.fixed += PER_ENUM + PER_VALUE * len(one["enum"])
            self.texts += map(str, one["enum"])
        kind = one["type"] if isinstance(one.get("type"), str) else ""
        self.texts.append(f"{name}:{kind}:{_sentence(one)}")
        if not isinstance(one.get("type"), str) or not {"description"} <= one.keys() <= PROPERTY_KEYS:
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
