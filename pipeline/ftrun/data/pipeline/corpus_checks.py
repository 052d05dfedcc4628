"""The checks that compare examples, once all of them are gathered and divided."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ftrun.data.pipeline.gathered import Gathered
from ftrun.data.pipeline.workers import WorkerPool
from ftrun.data.quality.checks import corpus_checks
from ftrun.data.quality.corpus import last_turn
from ftrun.data.split.division import TRAIN
from ftrun.experiment.model import Experiment
from ftrun.langid.majority import main_language
from ftrun.processes import worker_count
from ftrun.protocol.faults import Fault

MOST_READ = 200  # examples whose language is looked at
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class GatheredCorpus:
    """What a corpus check may ask of the gathered examples. `ending`: closed when the checks are over."""

    gathered: Gathered
    parts: bytearray
    ending: contextlib.ExitStack

    def place(self, index: int) -> tuple[str, int]:
        """Return file and line at which an example's row starts."""
        return self.gathered.place(index)

    def examples(self, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield the examples of ascending `indices`."""
        return self.gathered.spool.examples(indices)

    def begin(self, function: Callable[..., Result], *arguments: object) -> Callable[[], Result]:
        """Begin `function(*arguments)`, all of which can be pickled, in another process; return what waits
        for its result. With one core it is called here, when its result is asked for.
        """
        if worker_count() < 2:
            return lambda: function(*arguments)
        pool = self.ending.enter_context(WorkerPool(1))
        future = pool.submit(function, *arguments)
        return lambda: pool.result(future)


def compare(experiment: Experiment, gathered: Gathered, parts: bytearray) -> None:
    """Add to the notes what the checks of rows found, with their places, and what those of all rows find;
    note the language of the training data.
    """
    gathered.language = _language(gathered, parts)
    for noted, fault in gathered.noted:
        gathered.notes.add(fault, [gathered.place_of(noted)])
    checks = corpus_checks(experiment)
    found: dict[int, list[tuple[Sequence[int], Fault]]] = {}
    with contextlib.ExitStack() as ending:
        corpus = GatheredCorpus(gathered, parts, ending)
        facts = zip(checks, gathered.facts, strict=True)
        judged = [check.judge(memoryview(of_check), corpus) for check, of_check in facts]
        for number in sorted(range(len(checks)), key=lambda one: checks[one].begins_early):
            found[number] = list(judged[number])
    for number in range(len(checks)):
        for indices, fault in found[number]:
            gathered.notes.add(fault, gathered.places_of(indices))


def _language(gathered: Gathered, parts: bytearray) -> str | None:
    """Return the language of the first training examples' last turns, None if it is not clear."""
    trained = (index for index, part in enumerate(parts) if part == TRAIN)
    examples = gathered.spool.examples(list(itertools.islice(trained, MOST_READ)))
    turns = (turn for example in examples if (turn := last_turn(example)))
    return main_language(text for turn in turns for text in (turn.answer, turn.question))
