"""What the checks that compare examples work with: the examples in their order, and the last turn of each."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol, TypeVar

from ftrun.data.diagnostics.notes import further_places
from ftrun.protocol.faults import Fault
from ftrun.protocol.plain_chats import TrainingRow
from ftrun.protocol.spec import SYSTEM_ROLES
from ftrun.protocol.texts import dialogue

Result = TypeVar("Result")
CorpusFaults = Iterator[tuple[Sequence[int], Fault]]  # the examples that have it, the one to name first
MOST_PLACES = 3  # named after the first
ENDINGS = " ?？。.!！"
LONG = 400  # characters from which only case and outer space are normalized


class Corpus(Protocol):
    """All examples in their order, as far as a check may ask for them."""

    @property
    def parts(self) -> Sequence[int]:
        """Return the split of each example: an index into types.ROLES."""

    def place(self, index: int) -> tuple[str, int]:
        """Return the file and line where an example's row starts."""

    def examples(self, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield the examples of ascending `indices`; reads through all of them, so ask for all you need."""

    def begin(self, function: Callable[..., Result], *arguments: object) -> Callable[[], Result]:
        """Start a call in another process, and return a function that waits for its result."""


class CorpusCheck(ABC):
    """Compares examples by the facts that it noted of each."""

    size = 0  # bytes of a fact
    begins_early = False  # `judge` starts a background process at once: its faults are collected last

    def facts(self, examples: Sequence[TrainingRow]) -> bytes:
        """Return `size` bytes about each example, one after the other."""
        return b""

    @abstractmethod
    def judge(self, facts: memoryview, corpus: Corpus) -> CorpusFaults:
        """Yield faults with the indices of the examples that have them; none: the data as a whole."""


class LastTurn(NamedTuple):
    """The last answer of an example, the user's text before it, and everything said before these two."""

    question: str
    answer: str
    before: tuple[tuple[str, str], ...] = ()

    @property
    def prompt(self) -> str:
        """Return everything that the model is given before the answer."""
        return "\n".join((*(text for _, text in self.before), self.question))

    @property
    def system(self) -> str | None:
        """Return the system prompt, None if there is none."""
        return next((text for role, text in self.before if role in SYSTEM_ROLES), None)


class SampledExample(NamedTuple):
    """A training example of the sample: its number, file and line, and its last turn."""

    number: int
    file: str
    line: int
    turn: LastTurn


SampleFaults = Iterator[tuple[Sequence[SampledExample], Fault]]  # those that have it, the one to name first


def last_turn(example: Mapping[str, Any]) -> LastTurn | None:
    """Return the last turn of an example, None without an answer in words to a question in words."""
    said = dialogue(example)
    if not said or said[-1][0] != "assistant" or not said[-1][1].strip():
        return None
    for index in range(len(said) - 2, -1, -1):
        if said[index][0] == "user":
            return LastTurn(said[index][1], said[-1][1], (*said[:index], *said[index + 1 : -1]))
    return None


def unsaid(example: Mapping[str, Any]) -> list[str]:
    """Return a hash of the images and calls before the answer, if any: others are another question."""
    messages = example.get("messages") or (example.get("input") or {}).get("messages") or ()
    found: list[Any] = []
    for message in messages:
        content = message.get("content")
        if not isinstance(content, str):
            parts = content if isinstance(content, (list, tuple)) else ()
            found += [part for part in parts if isinstance(part, Mapping) and part.get("type") != "text"]
        found += message.get("tool_calls") or ()
    if not found:
        return []
    text = json.dumps(found, sort_keys=True, default=str)
    return [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()]


def normal(text: str) -> str:
    """Return `text` without differences that don't change a question: case, space, the sign at its end."""
    normalized = text.strip()
    if len(normalized) <= LONG and ("  " in normalized or "\n" in normalized):
        normalized = " ".join(normalized.split())
    return normalized.casefold().rstrip(ENDINGS)


def other_places(found: Sequence[SampledExample]) -> str:
    """Return the end of a message that says where all but the first are; empty if there is only one."""
    named = [(one.file, one.line) for one in found[1 : MOST_PLACES + 1]]
    return further_places(found[0].file, named, len(found) - 1 - len(named))


def share(part: int, whole: int) -> str:
    """Return `part` of `whole` for people: 12 of 40 (30 %)."""
    return f"{part:,} of {whole:,} ({part / whole:.0%})"
