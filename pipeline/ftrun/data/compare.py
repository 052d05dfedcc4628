"""Owns running the checks that compare examples, once all of them are gathered and divided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ftrun.data.checks import corpus_checks
from ftrun.data.gather import Gathered
from ftrun.experiment.model import Experiment


@dataclass(frozen=True, slots=True)
class GatheredCorpus:
    """What a corpus check may ask of the gathered examples."""

    gathered: Gathered
    parts: bytearray

    def place(self, index: int) -> tuple[str, int]:
        """Return file and line at which an example's row starts."""
        return self.gathered.place(index)

    def examples(self, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield the examples of ascending `indices`."""
        return self.gathered.spool.examples(indices)


def compare(experiment: Experiment, gathered: Gathered, parts: bytearray) -> None:
    """Add to the notes what the checks of rows said, with their places, and what those of all rows say."""
    for noted, fault in gathered.noted:
        gathered.notes.add(fault, gathered.place_of(noted))
    corpus = GatheredCorpus(gathered, parts)
    for check, facts in zip(corpus_checks(experiment), gathered.facts, strict=True):
        for index, fault in check.judge(memoryview(facts), corpus):
            gathered.notes.add(fault, None if index is None else gathered.place_of(index))
