"""Finding eval prompts that training has already asked: what a model says to them is recall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ftrun.data.quality.last_turn import normal
from ftrun.data.quality.ngrams import grams, letters, likeness
from ftrun.data.split.division import TRAIN
from ftrun.experiment.model import EvalPrompt
from ftrun.protocol.chat import TrainingRow
from ftrun.protocol.faults import Example, Fault
from ftrun.protocol.texts import dialogue

if TYPE_CHECKING:
    from ftrun.data.quality.checks import Corpus

NEAR = 0.8
FEWEST_GRAMS = 8
MOST_READ = 5_000  # training examples that are compared more closely than by equality
FIELD = "eval.prompts"


class Asked:
    """The eval prompts, ready to be found again in examples."""

    def __init__(self, prompts: Sequence[EvalPrompt]) -> None:
        asked = [(prompt.id, _question(prompt)) for prompt in prompts]
        self.ids = [name for name, _ in asked]
        self._exact: dict[str, int] = {}
        self._grams = [grams(letters(text)) for _, text in asked]
        self._having: dict[int, list[int]] = {}
        for number, (_, text) in enumerate(asked):
            self._exact.setdefault(normal(text), number)
            for gram in self._grams[number] if len(self._grams[number]) >= FEWEST_GRAMS else ():
                self._having.setdefault(gram, []).append(number)
        self._longest = 2 * max((len(text) for _, text in asked), default=0)

    def exact(self, example: Example) -> int | None:
        """Return the number of the prompt that a user of the example asks word for word, None if none."""
        for role, text in dialogue(example):
            if role == "user" and len(text) <= self._longest:
                number = self._exact.get(normal(text))
                if number is not None:
                    return number
        return None

    def near(self, example: Example) -> Iterator[int]:
        """Yield the numbers of the prompts that a user of the example asks nearly so."""
        for role, text in dialogue(example):
            if role != "user" or len(text) > self._longest:
                continue
            found = grams(letters(text))
            common = Counter(number for gram in found for number in self._having.get(gram, ()))
            for number in common:
                if likeness(found, self._grams[number]) >= NEAR:
                    yield number


class Recall:
    """Notes of each example which eval prompt it asks."""

    size = 2
    begins_early = False

    def __init__(self, prompts: Sequence[EvalPrompt]) -> None:
        self._asked = Asked(prompts)

    def facts(self, examples: Sequence[TrainingRow]) -> bytes:
        """Return the number of the prompt that each asks, from 1; 0 for none."""
        numbers = (self._asked.exact(one.example) for one in examples)
        return b"".join((0 if one is None else one + 1).to_bytes(self.size) for one in numbers)

    def judge(self, facts: memoryview, corpus: Corpus) -> Iterator[tuple[int | None, Fault]]:
        """Yield a note for each eval prompt that stands in the training data, at the first place."""
        first: dict[int, int] = {}
        nearly: set[int] = set()
        for index, part in enumerate(corpus.parts):
            number = int.from_bytes(facts[2 * index : 2 * index + 2])
            if number and part == TRAIN:
                first.setdefault(number - 1, index)
        training = [index for index, part in enumerate(corpus.parts) if part == TRAIN][:MOST_READ]
        for index, example in zip(training, corpus.examples(training), strict=True):
            for number in self._asked.near(example):
                if first.setdefault(number, index) == index and self._asked.exact(example) != number:
                    nearly.add(number)
        for number, index in sorted(first.items()):
            known = "nearly this question" if number in nearly else "this question"
            message = f"{known} is in the training data: its answers are recall"
            yield index, Fault("recall", message, f"{FIELD}.{self._asked.ids[number]}")


def recall_ids(notes: Iterable[tuple[Fault, Any]]) -> tuple[str, ...]:
    """Return the ids of the eval prompts that notes call recall."""
    return tuple(fault.field.removeprefix(f"{FIELD}.") for fault, _ in notes if fault.code == "recall")


def recalled(prompts: Sequence[EvalPrompt], examples: Iterable[Example]) -> frozenset[str]:
    """Return the ids of the prompts that training examples ask, exactly or nearly."""
    asked, found = Asked(prompts), set[int]()
    for count, example in enumerate(examples):
        number = asked.exact(example)
        if number is not None:
            found.add(number)
        elif count < MOST_READ:
            found.update(asked.near(example))
    return frozenset(asked.ids[number] for number in found)


def _question(prompt: EvalPrompt) -> str:
    """Return what is asked last."""
    if prompt.user is not None:
        return prompt.user
    said = [one for one in prompt.messages or () if one.get("role") == "user"]
    return str(said[-1].get("content") or "") if said else ""
