"""Telling of near-duplicates in training, and of held-out examples that nearly stand in training."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ftrun.data.quality.excerpt import excerpt
from ftrun.data.quality.minhash import near_among
from ftrun.data.quality.ngrams import compared
from ftrun.data.quality.places import also
from ftrun.data.split.advice import HELD_OUT_TWICE
from ftrun.data.split.division import TRAIN, VALIDATION
from ftrun.protocol.chat import TrainingRow
from ftrun.protocol.faults import Example, Fault
from ftrun.protocol.spec import SPLITS
from ftrun.protocol.texts import dialogue

if TYPE_CHECKING:
    from ftrun.data.quality.checks import Corpus

MOST_TRAINING, MOST_HELD_OUT = 5_000, 1_000  # examples looked through; more would take longer than the rest
MOST_SHOWN = 3
FEW = 3_000  # examples that are looked through sooner than a process starts
Search = Callable[[], list[tuple[int, int]]]


class Near:
    """Keeps nothing of single examples; looks through the first of each part at the end."""

    size = 0
    begins_early = True

    def facts(self, examples: Sequence[TrainingRow]) -> bytes:
        """Return nothing."""
        return b""

    def judge(self, facts: memoryview, corpus: Corpus) -> Iterator[tuple[int | None, Fault]]:
        """Return at most one fault for training and one for each two parts; exact repeats are not told.

        The search begins at once, beside this process if it takes long.
        """
        indices = _looked_through(corpus)
        texts = list(map(compared, corpus.examples(indices)))
        begin = corpus.begin if len(indices) > FEW else functools.partial
        return _judged(corpus, indices, begin(near_among, indices, texts))


def _judged(corpus: Corpus, indices: list[int], search: Search) -> Iterator[tuple[int | None, Fault]]:
    if len(indices) < len(corpus.parts):
        message = f"looked for near-duplicates in {len(indices):,} of {len(corpus.parts):,} examples"
        yield None, Fault("near_unsearched", message)
    pairs = search()
    parts = [(corpus.parts[later], corpus.parts[earlier]) for later, earlier in pairs]
    same = [pair for pair, (one, other) in zip(pairs, parts, strict=True) if one == other == TRAIN]
    yield from _told("near_duplicates", same, corpus)
    for earlier, part in itertools.combinations(range(len(SPLITS)), 2):
        held = [pair for pair, of in zip(pairs, parts, strict=True) if set(of) == {earlier, part}]
        ordered = [_held_first(pair, corpus) for pair in held]
        yield from _told("near_leak", ordered, corpus, SPLITS[part], SPLITS[earlier])


def _looked_through(corpus: Corpus) -> list[int]:
    left = [MOST_TRAINING if part == TRAIN else MOST_HELD_OUT for part in range(len(SPLITS))]
    indices = []
    for index, part in enumerate(corpus.parts):
        if left[part]:
            left[part] -= 1
            indices.append(index)
    return indices


def _held_first(pair: tuple[int, int], corpus: Corpus) -> tuple[int, int]:
    return pair if corpus.parts[pair[0]] > corpus.parts[pair[1]] else (pair[1], pair[0])


def _told(
    code: str, pairs: list[tuple[int, int]], corpus: Corpus, role: str = "", other: str = ""
) -> Iterator[tuple[int | None, Fault]]:
    first_of: dict[int, int] = {}
    for later, earlier in pairs:
        first_of.setdefault(later, earlier)
    shown = sorted(first_of)[:MOST_SHOWN]
    wanted = sorted({index for one in shown for index in (one, first_of[one])})
    examples = dict(zip(wanted, corpus.examples(wanted), strict=True))
    # with `dedupe: off` exact repeats are there too, and told as such
    real = [one for one in shown if examples[one] != examples[first_of[one]]]
    if not real:
        return
    later, count = real[0], len(first_of) - len(shown) + len(real)
    file, line = corpus.place(first_of[later])
    what = f"{count:,} {f'{role} ' if role else ''}example{' ' if count == 1 else 's '}"
    verb = "nearly repeats" if count == 1 else "nearly repeat"
    data = "training" if other == "train" else other
    whom = f"one of the {data} data" if other else "an earlier one"
    message = f"{what}{verb} {whom}: {excerpt(_said(examples[later]))} is like {file}:{line}"
    named = [*map(corpus.place, real[1:])]
    hint = HELD_OUT_TWICE if other == SPLITS[VALIDATION] else None
    yield later, Fault(code, message + also(corpus.place(later)[0], named, count - len(real)), hint=hint)


def _said(example: Example) -> str:
    return next((text for role, text in dialogue(example) if role == "user"), "")
