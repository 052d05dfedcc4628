"""The lists of content checks. What each check looks for is in a module of its own.

There are two kinds. Each list is made by a function that gets the experiment, so that a check can read its
options:

- `row_checks`: functions of some examples that yield faults of single ones, with the index of each. They run
  where the rows are read, perhaps in a worker process, so they are created there again. What they report
  about a row must not depend on other rows, and their time counts for every row.
- `corpus_checks`: objects that compare examples. `facts` runs where the rows are read and returns `size`
  bytes about each, all that is kept of it (a hash, a length, a few flags). `judge` runs once, at the end and
  in the main process, over the facts of all examples, after duplicates are removed and the data is divided.

Checks don't make a row unusable, and don't decide how serious a fault is: `Findings.severity_of` does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ftrun.data.quality.contradictions import Contradictions
from ftrun.data.quality.corpus import Corpus, CorpusCheck, CorpusFaults, SampledExample, last_turn
from ftrun.data.quality.near_duplicates import NearDuplicates
from ftrun.data.quality.overlap import EvalOverlap, asked_prompts
from ftrun.data.quality.scan import Scanner
from ftrun.data.split.division import TRAIN
from ftrun.experiment.model import Experiment
from ftrun.protocol.faults import Fault
from ftrun.protocol.plain_chats import TrainingRow

RowCheck = Callable[[Sequence[TrainingRow]], Iterable[tuple[int, Fault]]]
# raise it when the same examples would get other faults or facts: kept results are then not used
CHECKS_VERSION = 11
SAMPLE = 5000  # examples
SEED = 20


def row_checks(experiment: Experiment) -> tuple[RowCheck, ...]:
    """Return the checks of single examples, in the order of their faults."""
    return (Scanner().scan_all,)


def corpus_checks(experiment: Experiment) -> tuple[CorpusCheck, ...]:
    """Return the checks that compare examples, in the order of their faults."""
    prompts = asked_prompts(experiment.evaluation)
    overlap: tuple[CorpusCheck, ...] = (EvalOverlap(prompts),) if prompts else ()
    return (Contradictions(), NearDuplicates(), SampleChecks(), *overlap)


def check_options(experiment: Experiment) -> dict[str, Any]:
    """Return, ready for JSON, the options that change faults and facts (not how serious they are)."""
    prompts = experiment.evaluation.prompts
    options = [[one.id, one.user, list(one.messages or ())] for one in prompts]
    given: dict[str, Any] = {"eval prompts": options} if options else {}
    if experiment.evaluation.general:
        own = experiment.evaluation.general_prompts
        given["general"] = [[one.id, one.user, list(one.messages or ())] for one in own]
    return given


class SampleChecks(CorpusCheck):
    """Runs the checks of the training data as a whole: on all examples, or on a fixed sample of many.

    The sample bounds the time; its fixed seed makes the same data give the same findings.
    """

    def judge(self, facts: memoryview, corpus: Corpus) -> CorpusFaults:
        """Yield the faults of the training examples."""
        from ftrun.data.quality import balance, style, unsupported  # worker processes don't need them

        indices = [index for index, part in enumerate(corpus.parts) if part == TRAIN]
        if len(indices) > SAMPLE:
            indices = sorted(random.Random(SEED).sample(indices, SAMPLE))  # noqa: S311 - a sample, no secret
        turns = zip(indices, map(last_turn, corpus.examples(indices)), strict=True)
        sample = [SampledExample(index, *corpus.place(index), turn) for index, turn in turns if turn]
        for check in (*balance.CHECKS, *style.CHECKS, unsupported.unsupported):
            for found, fault in check(sample):
                yield [one.number for one in found], fault
