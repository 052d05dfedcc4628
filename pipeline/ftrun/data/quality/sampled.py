"""What is told of the training data as a whole: measured on all examples, or on a fixed draw of many.

Up to SAMPLE examples all are read; of more, SAMPLE are drawn by a fixed seed, so that the time is bounded
and the same data give the same words.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ftrun.data.quality.balance import lengths, openings, same_answers, systems, topics
from ftrun.data.quality.language import languages, widths
from ftrun.data.quality.last_turn import last_turn
from ftrun.data.quality.sample import Seen
from ftrun.data.quality.style import endings, refusals, styles
from ftrun.data.quality.unsupported import unsupported
from ftrun.data.split.division import TRAIN
from ftrun.protocol.chat import TrainingRow
from ftrun.protocol.faults import Fault

if TYPE_CHECKING:
    from ftrun.data.quality.checks import Corpus

SAMPLE = 5000  # examples
SEED = 20
JUDGES: tuple[Callable[[Sequence[Seen]], Iterator[tuple[Seen | None, Fault]]], ...] = (
    systems,
    same_answers,
    openings,
    topics,
    lengths,
    refusals,
    styles,
    endings,
    languages,
    widths,
    unsupported,
)


class Sampled:
    """Keeps nothing of single examples; reads a draw of them at the end."""

    size = 0
    begins_early = False

    def facts(self, examples: Sequence[TrainingRow]) -> bytes:
        """Return nothing."""
        return b""

    def judge(self, facts: memoryview, corpus: Corpus) -> Iterator[tuple[int | None, Fault]]:
        """Yield what the judges say of the training examples."""
        indices = [index for index, part in enumerate(corpus.parts) if part == TRAIN]
        if len(indices) > SAMPLE:
            indices = sorted(random.Random(SEED).sample(indices, SAMPLE))  # noqa: S311 - a draw, no secret
        turns = zip(indices, map(last_turn, corpus.examples(indices)), strict=True)
        seen = [Seen(number, *corpus.place(number), turn) for number, turn in turns if turn]
        for judge in JUDGES:
            for one, fault in judge(seen):
                yield (None if one is None else one.number), fault
