"""What can be said of every answer, without reference or expectation: how long, how quick, how dear, whether
it refuses, whether it repeats itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ftrun.scoring.metrics import Mean, share
from ftrun.scoring.options import Options
from ftrun.scoring.texts.refusals import refusal_in
from ftrun.scoring.texts.words import words_of
from ftrun.scoring.types import Answer, Sample, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A number that `of` finds in an answer; None where it is unknown."""

    name: str
    metrics: tuple[Mean, ...]
    of: Callable[[Answer], float | None]

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return the number."""
        found = self.of(answer)
        return None if found is None else Score(value=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Whether the answer refuses: the API says so, or its words do."""

    name: str = "refusals"
    metrics: tuple[Mean, ...] = (share("refusals", higher_is_better=False),)

    def score(self, sample: Sample, answer: Answer) -> Score:
        """Return 1 for a refusal."""
        if answer.refusal is not None:
            return Score(value=1.0, explanation="the service reports a refusal")
        phrase = refusal_in(answer.text)
        return Score(value=float(phrase is not None), explanation=f"says “{phrase}”" if phrase else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """How many of an answer's n-grams of words are different ones: 1 says nothing twice."""

    name: str
    metrics: tuple[Mean, ...]
    n: int

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return the share of different n-grams; None for answers of fewer than n words."""
        words = words_of(answer.text)
        grams = list(zip(*(words[start:] for start in range(self.n)), strict=False))
        return Score(value=len(set(grams)) / len(grams)) if grams else None


def make_length(options: Options) -> Observation:
    """Return the scorer `length`: characters, without whitespace around the answer."""
    metric = Mean(name="length", higher_is_better=None, scale="number")
    return Observation(name="length", metrics=(metric,), of=lambda answer: float(len(answer.text.strip())))


def make_seconds(options: Options) -> Observation:
    """Return the scorer `seconds`: how long the answer took."""
    metric = Mean(name="seconds", higher_is_better=False, scale="seconds")
    return Observation(name="seconds", metrics=(metric,), of=lambda answer: answer.seconds)


def make_cost(options: Options) -> Observation:
    """Return the scorer `cost_usd`: what the answer cost."""
    metric = Mean(name="cost_usd", higher_is_better=False, scale="usd")
    return Observation(name="cost_usd", metrics=(metric,), of=lambda answer: answer.usd)


def make_refusals(options: Options) -> Refusals:
    """Return the scorer `refusals`."""
    return Refusals()


def make_distinct(options: Options) -> Distinct:
    """Return the scorer `distinct_2`, or that of another n."""
    n = options.count("n", 2, least=1, most=10) if options.scorer == "distinct_n" else 2
    name = f"distinct_{n}"
    return Distinct(name=name, metrics=(Mean(name=name),), n=n)
