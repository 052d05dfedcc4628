"""The facts of a comparison of trained models and the sentences about them, but not how they look.

`as_dict` is what `compare --json` prints. Entries are called A, B, C … in the order given; the others are
compared with A.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ftrun.evaluation.answers import Record
from ftrun.evaluation.pairs import Paired
from ftrun.evaluation.scores import CandidateScore
from ftrun.report.words import counted

ALPHA = 0.05  # a difference with a smaller p-value is called significant
SIGNIFICANT = "the difference is statistically significant"
NOT_SIGNIFICANT = "the difference is not statistically significant, so more questions are needed"
ANSWER = (  # the keys of an answer in `compare --json`
    *("prompt_id", "candidate", "model", "messages", "answer", "expect", "passed", "failures"),
    *("recall", "usage", "seconds"),
)
SHOWN_PROMPT = 60  # characters of a setting on one line


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
    score: CandidateScore | None = None


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
    """How `letter` did against A on the questions that were judged for both."""

    letter: str
    paired: Paired

    @property
    def judged(self) -> int:
        """Return the number of questions."""
        found = self.paired
        return found.both + found.better + found.worse + found.neither

    @property
    def sentence(self) -> str:
        """Return how much each passes, and whether the difference is statistically significant."""
        found = self.paired
        passes = f"{self.letter} passes {found.both + found.better} of {counted(self.judged, 'check')}"
        start = f"{passes}, A {found.both + found.worse}"
        if not found.better + found.worse:
            return f"{start}: they agree on every question."
        only = f"{self.letter} alone is right {_times(found.better)}, A alone {_times(found.worse)}"
        meaning = SIGNIFICANT if found.p < ALPHA else NOT_SIGNIFICANT
        return f"{start}; {only}: {meaning} (p = {found.p:.2g})."

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "letter": self.letter,
            **asdict(self.paired),
            "judged": self.judged,
            "sentence": self.sentence,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison says. The `candidate` of an answer is the letter of its entry."""

    entries: tuple[EntryFacts, ...]
    settings: tuple[Setting, ...] = ()
    answers: tuple[Record, ...] = ()
    pairs: tuple[PairFacts, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def differing(self) -> tuple[Setting, ...]:
        """Return the settings that differ."""
        return tuple(one for one in self.settings if one.differs)

    @property
    def same(self) -> tuple[Setting, ...]:
        """Return the settings that are the same everywhere."""
        return tuple(one for one in self.settings if not one.differs)

    def as_dict(self) -> dict[str, Any]:
        """Return the document of `compare --json`."""
        return {
            "entries": [asdict(one) for one in self.entries],
            "differences": {one.name: list(one.values) for one in self.differing},
            "same": {one.name: one.values[0] for one in self.same},
            "answers": [{name: getattr(one, name) for name in ANSWER} for one in self.answers],
            "pairs": [one.as_dict() for one in self.pairs],
            "notes": list(self.notes),
        }


def letter(index: int) -> str:
    """Return A for 0, B for 1 … and A1 for 26."""
    turn, place = divmod(index, len(string.ascii_uppercase))
    return string.ascii_uppercase[place] + (str(turn) if turn else "")


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def tone(comparison: Comparison) -> str:
    """Return good or bad if the only pair differs significantly, else neutral."""
    if len(comparison.pairs) != 1 or comparison.pairs[0].paired.p >= ALPHA:
        return "neutral"
    found = comparison.pairs[0].paired
    return "good" if found.better > found.worse else "bad"


def settings(values: Sequence[Mapping[str, str | None]]) -> tuple[Setting, ...]:
    """Return the settings of all entries in the order in which they first occur."""
    names = dict.fromkeys(name for one in values for name in one)
    return tuple(Setting(name=name, values=tuple(one.get(name) for one in values)) for name in names)


def shortened(value: str) -> str:
    """Return a setting's value for one line."""
    line = " ".join(value.split())
    return line if len(line) <= SHOWN_PROMPT else line[: SHOWN_PROMPT - 1] + "…"
