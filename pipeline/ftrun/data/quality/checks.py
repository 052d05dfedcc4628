"""The lists of content checks and what such a check is. What they look for is theirs.

Two kinds, each listed in order by one function that gets the experiment, so that a check can read its
options:

- `row_checks`: functions of some examples that yield Faults of single ones, with the index of each. They run
  where the rows are read, which may be a worker process, so they are made there anew; what they say of a row
  hangs on no other, and their time counts for every row.
- `corpus_checks`: objects that compare examples. `facts` runs where the rows are read and gives `size` bytes
  of each, the only thing that is kept of it (a hash, a length, a few flags); `judge` runs once, at the end
  and in the main process, over the facts of all examples, after duplicates are gone and parts are divided.

Neither makes a row unusable, and neither decides how bad a fault is: that is `findings.severity_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from ftrun.experiment.model import Experiment
from ftrun.protocol.chat import TrainingRow
from ftrun.protocol.faults import Fault

Result = TypeVar("Result")
RowCheck = Callable[[Sequence[TrainingRow]], Iterable[tuple[int, Fault]]]
# raise it when the same examples would get other faults or facts, so that kept results are not taken for new
CHECKS_VERSION = 7


class Corpus(Protocol):
    """The kept examples in their order, as far as a check may ask for them."""

    @property
    def parts(self) -> Sequence[int]:
        """Return the part of each example: an index into SPLITS."""
        ...

    def place(self, index: int) -> tuple[str, int]:
        """Return file and line at which an example's row starts."""
        ...

    def examples(self, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield the examples of ascending `indices`; reads through all of them, so ask for all you need."""
        ...

    def begin(self, function: Callable[..., Result], *arguments: object) -> Callable[[], Result]:
        """Begin a call in another process, and return what waits for its result."""
        ...


class CorpusCheck(Protocol):
    """Compares examples by what it noted of each."""

    @property
    def size(self) -> int:
        """Return the bytes of a fact."""
        ...

    @property
    def begins_early(self) -> bool:
        """Return whether `judge` begins work beside this process at once: its words are waited for last."""
        ...

    def facts(self, examples: Sequence[TrainingRow]) -> bytes:
        """Return `size` bytes about each example, one after the other."""
        ...

    def judge(self, facts: memoryview, corpus: Corpus) -> Iterator[tuple[int | None, Fault]]:
        """Yield faults with the index of the example they stand at; None: in the data as a whole."""
        ...


def row_checks(experiment: Experiment) -> tuple[RowCheck, ...]:
    """Return the checks of one example, in the order of their faults."""
    from ftrun.data.quality.scan import Scanner  # its patterns cost milliseconds

    return (Scanner().scan_all,)


def corpus_checks(experiment: Experiment) -> tuple[CorpusCheck, ...]:
    """Return the checks that compare examples, in the order of their faults."""
    from ftrun.data.quality.contradictions import Contradictions
    from ftrun.data.quality.near_duplicates import Near
    from ftrun.data.quality.overlap import Recall
    from ftrun.data.quality.sampled import Sampled

    prompts = experiment.evaluation.prompts
    asked: tuple[CorpusCheck, ...] = (Recall(prompts),) if prompts else ()
    return (Contradictions(), Near(), Sampled(), *asked)


def check_options(experiment: Experiment) -> dict[str, Any]:
    """Return, ready for JSON, what of the experiment changes the faults and facts (not how bad they are)."""
    prompts = experiment.evaluation.prompts
    asked = [[one.id, one.user, list(one.messages or ())] for one in prompts]
    return {"eval prompts": asked} if asked else {}
