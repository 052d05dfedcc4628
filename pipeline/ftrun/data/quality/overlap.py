"""Eval prompts that are in the training data: what a model answers to them is recall. So is a general
question that is there: it no longer shows what training made a model forget.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ftrun.data.general.questions import shipped
from ftrun.data.quality.corpus import Corpus, CorpusCheck, CorpusFaults, normal
from ftrun.data.quality.similarity import GramIndex, grams, letters
from ftrun.data.split.division import TRAIN
from ftrun.experiment.model import EvalPrompt, Evaluation
from ftrun.protocol.faults import Example, Fault
from ftrun.protocol.plain_chats import TrainingRow
from ftrun.protocol.texts import dialogue

NEAR = 0.8
FEWEST_GRAMS = 8
MOST_READ = 5_000  # training examples that are compared more closely than by equality
FIELD, GENERAL = "eval.prompts", "eval.general"


class PromptIndex:
    """The eval prompts, ready to be found in examples. Prompts are numbered in their order."""

    def __init__(self, prompts: Sequence[EvalPrompt]) -> None:
        questions = list(map(_question, prompts))
        self.ids = [prompt.id for prompt in prompts]
        self._exact: dict[str, int] = {}
        self._index = GramIndex(FEWEST_GRAMS)
        for number, text in enumerate(questions):
            self._exact.setdefault(normal(text), number)
            self._index.add(grams(letters(text)))
        self._longest = 2 * max(map(len, questions), default=0)

    def exact(self, example: Example) -> int | None:
        """Return the number of the prompt that a user of the example asks word for word, None if none."""
        numbers = (self._exact.get(normal(text)) for text in self._asked(example))
        return next((number for number in numbers if number is not None), None)

    def near(self, example: Example) -> Iterator[int]:
        """Yield the numbers of the prompts that a user of the example nearly asks."""
        for text in self._asked(example):
            yield from self._index.like(grams(letters(text)), NEAR)

    def _asked(self, example: Example) -> Iterator[str]:
        for role, text in dialogue(example):
            if role == "user" and len(text) <= self._longest:
                yield text


def asked_prompts(evaluation: Evaluation) -> dict[str, EvalPrompt]:
    """Return the eval prompts and the general questions by their places in the experiment."""
    general = evaluation.general_prompts or tuple(one for _, one in shipped())
    return {f"{FIELD}.{one.id}": one for one in evaluation.prompts} | {
        f"{GENERAL}.{one.id}": one for one in (general if evaluation.general else ())
    }


class EvalOverlap(CorpusCheck):
    """Notes for each example which of the prompts (by their places in the experiment) it asks."""

    def __init__(self, prompts: Mapping[str, EvalPrompt]) -> None:
        self._index = PromptIndex([*prompts.values()])
        self._fields = [*prompts]
        self.size = 2 if len(prompts) < 1 << 16 else 4

    def facts(self, examples: Sequence[TrainingRow]) -> bytes:
        """Return the number of the prompt that each asks, from 1; 0 for none."""
        numbers = (self._index.exact(one.example) for one in examples)
        return b"".join((0 if one is None else one + 1).to_bytes(self.size) for one in numbers)

    def judge(self, facts: memoryview, corpus: Corpus) -> CorpusFaults:
        """Yield a note for each eval prompt that is in the training data, at its first place."""
        training = [index for index, part in enumerate(corpus.parts) if part == TRAIN]
        asking: dict[int, list[int]] = {}
        nearly: set[int] = set()
        for index in training:
            number = int.from_bytes(facts[self.size * index : self.size * (index + 1)])
            if number:
                asking.setdefault(number - 1, []).append(index)
        read = training[:MOST_READ]
        for index, example in zip(read, corpus.examples(read), strict=True):
            for number in self._index.near(example):
                if number not in asking:
                    nearly.add(number)
                if self._index.exact(example) != number:
                    asking.setdefault(number, []).append(index)
        for number, indices in sorted(asking.items()):
            known = "nearly this question" if number in nearly else "this question"
            message = f"{known} is in the training data: its answers are recall"
            yield indices, Fault("recall", message, self._fields[number])


def recall_ids(notes: Iterable[tuple[Fault, Any]]) -> tuple[str, ...]:
    """Return the ids of the eval prompts that the notes call recall."""
    start = f"{FIELD}."
    found = (fault.field for fault, _ in notes if fault.code == "recall")
    return tuple(field.removeprefix(start) for field in found if field.startswith(start))


def recalled(prompts: Sequence[EvalPrompt], examples: Iterable[Example]) -> frozenset[str]:
    """Return the ids of the prompts that training examples ask, exactly or nearly."""
    index, found = PromptIndex(prompts), set[int]()
    for count, example in enumerate(examples):
        number = index.exact(example)
        found.update(() if number is None else (number,))
        if count < MOST_READ:  # what one prompt asks exactly, another may nearly ask
            found.update(index.near(example))
    return frozenset(index.ids[number] for number in found)


def _question(prompt: EvalPrompt) -> str:
    if prompt.user is not None:
        return prompt.user
    asked = [one.get("content") for one in prompt.messages or () if one.get("role") == "user"]
    return str(asked[-1] or "") if asked else ""
