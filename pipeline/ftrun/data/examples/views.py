"""An example as people read it: its texts in order, what is learned of them, its tools, its size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ftrun.cost.models import encoding_of, family
from ftrun.cost.tokens import count_examples, text_counter
from ftrun.experiment.target import Target
from ftrun.protocol.spec import COMPLETION_KEYS, PREFERENCE_KEYS
from ftrun.protocol.texts import TrainedText, trained_texts
from ftrun.protocol.training_rows import asked_of

ANSWERS = {"preferred_output": "preferred", "non_preferred_output": "not preferred"}
SHOWN = frozenset(("messages", "tools", *COMPLETION_KEYS, *PREFERENCE_KEYS))  # as turns, or by name
LONGEST_ADDRESS = 100  # characters of an image's; data: holds all of it


class ShownText(NamedTuple):
    """A text of an example: who says it, and whether it is learned (if not preferred: to be avoided)."""

    role: str
    text: str
    trained: bool
    name: str | None = None


def turns_of(example: Mapping[str, Any]) -> list[ShownText]:
    """Return the texts of an example; calls are written as `name(arguments)`, images as their address."""
    return [ShownText(_role(span), _text(span), span.trained, span.name) for span in trained_texts(example)]


def tools_of(example: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the functions that the example declares."""
    for tool in asked_of(example).get("tools") or ():
        yield str(tool["function"]["name"])


def fields_of(example: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what the example has besides messages: the fields for a grader, whether calls may be parallel."""
    for key, value in {**asked_of(example), **example}.items():
        if key not in SHOWN:
            yield key, value


class Sizes:
    """Counts the tokens of single examples for a target."""

    def __init__(self, target: Target) -> None:
        self._counter = text_counter(encoding_of(target).name)
        self._family = family(target.model)

    def total(self, example: Mapping[str, Any]) -> int:
        """Return the tokens of an example as they are billed, before any cap."""
        (tokens,) = count_examples([example], self._counter, self._family)
        return tokens.total

    def trained(self, example: Mapping[str, Any]) -> int:
        """Return the tokens of what is learned."""
        texts = [span.text for span in trained_texts(example) if span.trained]
        return sum(self._counter(texts)) if texts else 0


def _role(span: TrainedText) -> str:
    return ANSWERS.get(span.path.partition("[")[0], span.role)


def _text(span: TrainedText) -> str:
    if not span.path.endswith(".image_url"):
        return span.text
    cut = len(span.text) > LONGEST_ADDRESS
    return f"[image {span.text[:LONGEST_ADDRESS]}{f'… {len(span.text):,} characters' if cut else ''}]"
