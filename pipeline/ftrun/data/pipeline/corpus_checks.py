"""Running the checks that compare examples, once all of them are gathered and divided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from ftrun.data.pipeline.background import Beside
from ftrun.data.pipeline.gathering import Gathered
from ftrun.data.quality.checks import corpus_checks
from ftrun.experiment.model import Experiment
from ftrun.protocol.faults import Fault

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class GatheredCorpus:
    """What a corpus check may ask of the gathered examples."""

    gathered: Gathered
    parts: bytearray
    beside: Beside

    def place(self, index: int) -> tuple[str, int]:
        """Return file and line at which an example's row starts."""
        return self.gathered.place(index)

    def examples(self, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield the examples of ascending `indices`."""
        return self.gathered.spool.examples(indices)

    def begin(self, function: Callable[..., Result], *arguments: object) -> Callable[[], Result]:
        """Begin a call in another process, and return what waits for its result."""
        return self.beside.begin(function, *arguments)


def compare(experiment: Experiment, gathered: Gathered, parts: bytearray) -> None:
    """Add to the notes what the checks of rows said, with their places, and what those of all rows say."""
    for noted, fault in gathered.noted:
        gathered.notes.add(fault, gathered.place_of(noted))
    checks = corpus_checks(experiment)
    said: dict[int, list[tuple[int | None, Fault]]] = {}
    with Beside() as beside:
        corpus = GatheredCorpus(gathered, parts, beside)
        facts = zip(checks, gathered.facts, strict=True)
        judged = [check.judge(memoryview(of_check), corpus) for check, of_check in facts]
        for number in sorted(range(len(checks)), key=lambda one: checks[one].begins_early):
            said[number] = list(judged[number])
    for number in range(len(checks)):
        for index, fault in said[number]:
            gathered.notes.add(fault, None if index is None else gathered.place_of(index))
