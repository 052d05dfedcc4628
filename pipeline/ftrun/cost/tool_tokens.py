"""Counting tokens of tools and their calls, of images, and whether such a count is exact.

Tools are counted by the recipe that OpenAI's cookbook publishes for functions ("How to count tokens with
tiktoken"): fixed numbers for a function, its properties and the values of an enum, and the texts between
them. It covers flat properties with a description, of the models it names; what goes beyond is counted in
its spirit and is an estimate. So are calls and images, for which nothing is published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

RECIPE = "openai-cookbook"
TOOLS, IMAGES = 4, 8  # bits of flags: what was counted by estimate
PER_CALL = 3  # an estimate: a call is framed about as a message is
LOW_DETAIL = 85  # tokens of an image at detail low
USUAL_IMAGE = 765  # of one of 1024 x 1024 pixels at detail high: the size is not known before it is fetched


class Numbers(NamedTuple):
    """The recipe's fixed numbers of a family of models."""

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


class Counted(NamedTuple):
    """What is counted of something: a fixed number of tokens, texts, and what of it is an estimate."""

    fixed: int
    texts: list[str]
    flags: int


def tools_counted(tools: Sequence[Mapping[str, Any]], family: str | None) -> Counted:
    """Return what is counted of sound tools for models of a `family` (None: not known)."""
    numbers = FAMILIES.get(family or "", OTHERS)
    exact = family in FAMILIES
    fixed, texts = numbers.end, []
    for tool in tools:
        function = tool["function"]
        fixed += numbers.function
        texts.append(f"{function['name']}:{_sentence(function)}")
        exact = exact and "description" in function
        schema = function.get("parameters", {})
        exact = exact and schema.keys() <= {"type", "properties", "required", "additionalProperties"}
        for more in _properties(schema, numbers):
            fixed, exact = fixed + more.fixed, exact and not more.flags
            texts += more.texts
    return Counted(fixed, texts, 0 if exact else TOOLS)


def _properties(schema: Any, numbers: Numbers) -> Iterator[Counted]:
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(found, Mapping) or not found:
        return
    yield Counted(numbers.properties, [], 0)
    for name, one in found.items():
        yield _property(name, one if isinstance(one, Mapping) else {}, numbers)
        for inner in (one, one.get("items")) if isinstance(one, Mapping) else ():
            for more in _properties(inner, numbers):  # beyond the recipe: an object in an object
                yield more._replace(flags=TOOLS)


def _property(name: str, one: Mapping[str, Any], numbers: Numbers) -> Counted:
    fixed, texts = numbers.property, []
    if isinstance(one.get("enum"), list):
        fixed += numbers.enum + numbers.value * len(one["enum"])
        texts += [str(value) for value in one["enum"]]
    kind = one.get("type")
    texts.append(f"{name}:{kind if isinstance(kind, str) else ''}:{_sentence(one)}")
    covered = isinstance(kind, str) and "description" in one
    flat = one.keys() <= {"type", "description", "enum"}
    return Counted(fixed, texts, 0 if covered and flat else TOOLS)


def _sentence(one: Mapping[str, Any]) -> str:
    return str(one.get("description", "")).removesuffix(".")


def calls_counted(calls: Sequence[Mapping[str, Any]]) -> Counted:
    """Return what is counted of the calls of a message: names and arguments."""
    texts = [text for call in calls for text in (call["function"]["name"], call["function"]["arguments"])]
    return Counted(PER_CALL * len(calls), texts, TOOLS)


def parts_counted(parts: Sequence[Mapping[str, Any]]) -> Counted:
    """Return what is counted of content in parts; images by their usual size."""
    texts = [part["text"] for part in parts if part["type"] == "text"]
    images = [part["image_url"] for part in parts if part["type"] == "image_url"]
    fixed = sum(LOW_DETAIL if image.get("detail") == "low" else USUAL_IMAGE for image in images)
    return Counted(fixed, texts, IMAGES if images else 0)
