"""Near-duplicates in training, and held-out examples that nearly repeat one of training."""

from __future__ import annotations

import functools
from collections.abc import Callable

from ftrun.data.diagnostics.notes import further_places
from ftrun.data.quality.corpus import Corpus, CorpusCheck, CorpusFaults
from ftrun.data.quality.pii import excerpt
from ftrun.data.quality.similarity import compared, near_among
from ftrun.data.split.advice import HELD_OUT_TWICE
from ftrun.data.split.division import TRAIN, VALIDATION
from ftrun.protocol.faults import Fault
from ftrun.protocol.spec import SPLITS
from ftrun.protocol.texts import dialogue

MOST_TRAINING, MOST_HELD_OUT = 5_000, 1_000  # examples searched; more would take longer than everything else
MOST_SHOWN = 3
DATA = ("training", *SPLITS[1:])  # what the splits are called
FEW = 3_000  # examples that are searched sooner than a process starts


class NearDuplicates(CorpusCheck):
    """Notes nothing about single examples; searches the first ones of each split at the end."""

    begins_early = True

    def judge(self, facts: memoryview, corpus: Corpus) -> CorpusFaults:
        """Return at most one fault for training and one for each two splits, without exact repeats.

        The search starts at once, in a background process if it takes long.
        """
        left = [MOST_TRAINING if part == TRAIN else MOST_HELD_OUT for part in range(len(SPLITS))]
        indices = []
        for index, part in enumerate(corpus.parts):
            if left[part]:
                left[part] -= 1
                indices.append(index)
        texts = list(map(compared, corpus.examples(indices)))
        begin = corpus.begin if len(indices) > FEW else functools.partial
        return _faults(corpus, len(indices), begin(near_among, indices, texts))


def _faults(corpus: Corpus, searched: int, search: Callable[[], list[tuple[int, int]]]) -> CorpusFaults:
    if searched < len(corpus.parts):
        message = f"searched {searched:,} of {len(corpus.parts):,} examples for near-duplicates"
        yield (), Fault("near_unsearched", message)
    by_split: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for pair in search():
        held, other = sorted(pair, key=lambda index: corpus.parts[index], reverse=True)
        splits = corpus.parts[other], corpus.parts[held]
        by_split.setdefault(splits, []).append(pair if splits[0] == splits[1] else (held, other))
    for (other, held), pairs in sorted(by_split.items()):
        if other != held or held == TRAIN:
            yield from _fault(pairs, corpus, other, held)


def _fault(pairs: list[tuple[int, int]], corpus: Corpus, other: int, held: int) -> CorpusFaults:
    first_of = dict(reversed(pairs))  # the first pair of each wins
    shown = sorted(first_of)[:MOST_SHOWN]
    wanted = sorted({index for one in shown for index in (one, first_of[one])})
    examples = dict(zip(wanted, corpus.examples(wanted), strict=True))
    # with `dedupe: off` exact repeats are there too, and reported as such
    real = [one for one in shown if examples[one] != examples[first_of[one]]]
    if not real:
        return
    later, count = real[0], len(first_of) - len(shown) + len(real)
    file, line = corpus.place(first_of[later])
    question = next((text for role, text in dialogue(examples[later]) if role == "user"), "")
    asked, verb = excerpt(question), "repeats" if count == 1 else "repeat"
    message = (
        f"{count:,} example{'' if count == 1 else 's'} nearly {verb} an earlier one: "
        f"{asked} is like {file}:{line}"
    )
    if other != held:
        part, data = SPLITS[held], DATA[other]
        message = (
            f"{count:,} {part} example{'' if count == 1 else 's'} nearly {verb} one of the {data} data: "
            f"{asked} is like {file}:{line}"
        )
    places = further_places(corpus.place(later)[0], [*map(corpus.place, real[1:])], count - len(real))
    hint = HELD_OUT_TWICE if other == VALIDATION else None
    found = [one for one in sorted(first_of) if one in real or one not in shown]
    yield found, Fault("near_duplicates" if other == held else "near_leak", message + places, hint=hint)
