"""The facts of a comparison of trained models and the sentences about them, but not how they look.

`as_dict` is what `compare --json` prints. Entries are called A, B, C … in the order given; the others are
compared with A.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ftrun.evaluation.answers import Record
from ftrun.evaluation.results import Comparison as Compared
from ftrun.evaluation.results import Scores
from ftrun.evaluation.showing.phrasing import in_words
from ftrun.evaluation.statistics.proportions import mcnemar

ANSWER = (  # the keys of an answer in `compare --json`
    *("prompt_id", "candidate", "model", "messages", "answer", "expect", "passed", "failures"),
    *("recall", "usage", "seconds", "reference", "scores", "set", "tags", "repeat"),
)
SHOWN_PROMPT = 60  # characters of a setting on one line


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryScore:
    """How many questions with an `expect` a model passes; `pass_rate` is None without any. `recall` is about
    those in the training data, `unseen` about the rest; None where there is no such difference.
    """

    pass_rate: float | None
    passed: int
    judged: int
    asked: int
    recall: EntryScore | None = None
    unseen: EntryScore | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFacts:
    """A trained model. `entry` is its name on the command line; times are seconds, `usd` None if unknown."""

    letter: str
    entry: str
    experiment: str
    target: str
    provider: str
    spec_key: str
    job_id: str
    fine_tuned_model: str
    status: str
    created_at: float | None = None
    seconds: float | None = None
    trained_tokens: int | None = None
    usd: float | None = None
    free: bool = False
    train_loss: float | None = None
    valid_loss: float | None = None
    fit: str | None = None
    score: EntryScore | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A part of the configuration, with its value in each entry (None: it has none)."""

    name: str
    values: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        """Return whether two entries have different values."""
        return len(set(self.values)) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFacts:
    """How `letter` did against A on the questions that were judged for both: `better` and `worse` count where
    only one of them is right. `p` is McNemar's exact one; `sentence` says what the comparison shows.
    """

    letter: str
    both: int
    better: int
    worse: int
    neither: int
    p: float
    sentence: str

    @property
    def judged(self) -> int:
        """Return the number of questions."""
        return self.both + self.better + self.worse + self.neither

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "judged": self.judged}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison says. The `candidate` of an answer is the letter of its entry, and so are those of
    `scores`, whose comparisons are each of another model with A.
    """

    entries: tuple[EntryFacts, ...]
    settings: tuple[Setting, ...] = ()
    answers: tuple[Record, ...] = ()
    pairs: tuple[PairFacts, ...] = ()
    scores: Scores = field(default_factory=Scores)
    notes: tuple[str, ...] = ()

    @property
    def differing(self) -> tuple[Setting, ...]:
        """Return the settings that differ."""
        return tuple(one for one in self.settings if one.differs)

    @property
    def same(self) -> tuple[Setting, ...]:
        """Return the settings that are the same everywhere."""
        return tuple(one for one in self.settings if not one.differs)

    @property
    def main(self) -> tuple[Compared, ...]:
        """Return the comparisons by the main metric."""
        return tuple(one for one in self.scores.comparisons if one.metric == self.scores.metric)

    def as_dict(self) -> dict[str, Any]:
        """Return the document of `compare --json`."""
        scores = self.scores.as_dict()
        return {
            "entries": [asdict(one) for one in self.entries],
            "differences": {one.name: list(one.values) for one in self.differing},
            "same": {one.name: one.values[0] for one in self.same},
            "answers": [{name: getattr(one, name) for name in ANSWER} for one in self.answers],
            "pairs": [one.as_dict() for one in self.pairs],
            "metric": self.scores.metric,
            "candidates": scores["candidates"],
            "comparisons": scores["comparisons"],
            "notes": list(self.notes),
        }


def letter(index: int) -> str:
    """Return A for 0, B for 1 … and A1 for 26."""
    turn, place = divmod(index, len(string.ascii_uppercase))
    return string.ascii_uppercase[place] + (str(turn) if turn else "")


def entry_score(records: Sequence[Record]) -> EntryScore | None:
    """Return how many of a model's answers pass; None without answers."""
    if not records:
        return None
    known = [record for record in records if record.recall]
    rest = [record for record in records if not record.recall]
    whole = _passes(records)
    if not known:
        return whole
    return replace(whole, recall=_passes(known), unseen=_passes(rest))


def _passes(records: Sequence[Record]) -> EntryScore:
    judged = [record.passed for record in records if record.passed is not None]
    rate = sum(judged) / len(judged) if judged else None
    return EntryScore(pass_rate=rate, passed=sum(judged), judged=len(judged), asked=len(records))


def pairs_of(shown: Sequence[Sequence[Record]], scores: Scores) -> Iterator[PairFacts]:
    """Yield how each other model did against the first; `shown` has the answers of each in order."""
    first = {(one.prompt_id, one.repeat): one.passed for one in shown[0]}
    for index, records in enumerate(shown[1:], start=1):
        seen = Counter(
            (record.passed, other)
            for record in records
            if record.passed is not None
            and (other := first.get((record.prompt_id, record.repeat))) is not None
        )
        if not seen:
            continue
        better, worse = seen[True, False], seen[False, True]
        name = letter(index)
        found = (one for one in scores.comparisons if one.a == name and one.metric == "pass_rate")
        yield PairFacts(
            letter=name,
            both=seen[True, True],
            better=better,
            worse=worse,
            neither=seen[False, False],
            p=mcnemar(better, worse),
            sentence=next((in_words(scores, one) for one in found), ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """Questions that a model gets right where A doesn't (`fixed`), or the other way round (`broken`)."""

    letter: str
    kind: Literal["fixed", "broken"]
    ids: tuple[str, ...]


def turned_of(comparison: Comparison) -> Iterator[Turned]:
    """Yield which questions each other model gets right or wrong where A doesn't, by the main metric."""
    for one in comparison.main:
        if one.flips is not None and one.flips.fixed:
            yield Turned(letter=one.a, kind="fixed", ids=one.flips.fixed)
        if one.flips is not None and one.flips.broken:
            yield Turned(letter=one.a, kind="broken", ids=one.flips.broken)


def sentences(comparison: Comparison) -> tuple[str, ...]:
    """Return what each comparison by the main metric shows."""
    return tuple(in_words(comparison.scores, one) for one in comparison.main)


def tone(comparison: Comparison) -> str:
    """Return good or bad if the only comparison by the main metric is significant, else neutral."""
    if len(comparison.main) != 1:
        return "neutral"
    (found,) = comparison.main
    return "good" if found.better else "bad" if found.worse else "neutral"


def settings(values: Sequence[Mapping[str, str | None]]) -> tuple[Setting, ...]:
    """Return the settings of all entries in the order in which they first occur."""
    names = dict.fromkeys(name for one in values for name in one)
    return tuple(Setting(name=name, values=tuple(one.get(name) for one in values)) for name in names)


def shortened(value: str) -> str:
    """Return a setting's value for one line."""
    line = " ".join(value.split())
    return line if len(line) <= SHOWN_PROMPT else line[: SHOWN_PROMPT - 1] + "…"
