"""Owns which texts of an example the model sees, in their order, and which of them it learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ftrun.data.tokens import CountTexts, count_examples


class Turn(NamedTuple):
    """A text of an example: who says it, and whether it is learned."""

    role: str
    text: str
    trained: bool


def turns_of(example: Mapping[str, Any]) -> list[Turn]:
    """Return the texts of an example: learned are the assistant's, unless their `weight` is 0."""
    return [
        Turn(one["role"], one["content"], one["role"] == "assistant" and one.get("weight") != 0)
        for one in example["messages"]
    ]


def trained_tokens(turns: Sequence[Turn], counter: CountTexts) -> int:
    """Return how many tokens of the turns are learned."""
    return sum(counter([turn.text for turn in turns if turn.trained] or [""]))


def total_tokens(example: Mapping[str, Any], counter: CountTexts) -> int:
    """Return the tokens of an example as they are billed, before any cap."""
    (tokens,) = count_examples([dict(example)], counter)
    return tokens.total
