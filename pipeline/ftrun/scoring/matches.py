"""Scorers that are right or wrong: `expect`, and comparisons with the reference or a pattern."""

from __future__ import annotations

from dataclasses import dataclass

from ftrun.scoring.expect import judge, pattern_failure
from ftrun.scoring.metrics import Mean, share
from ftrun.scoring.options import Options
from ftrun.scoring.texts.normal_form import normalised
from ftrun.scoring.texts.patterns import Patterns
from ftrun.scoring.types import Answer, Sample, Score
from ftrun.untrusted import CapError, Capped


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """Whether the answer fulfils the `expect` of its question."""

    name: str = "expect"
    metrics: tuple[Mean, ...] = (share("pass_rate"),)

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return 1 if all conditions hold; None where nothing is expected."""
        judgement = judge(sample.expect, answer.text, answer.tool_calls)
        if judgement.passed is None:
            return None
        return Score(value=float(judgement.passed), explanation="; ".join(judgement.failures))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactMatch:
    """Whether answer and reference have the same normal form."""

    name: str
    metrics: tuple[Mean, ...]
    case: bool

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return 1 if they are equal; None without a reference."""
        if sample.reference is None:
            return None
        said, wanted = (normalised(one, case=self.case) for one in (answer.text, sample.reference))
        return Score(value=float(said == wanted))


@dataclass(frozen=True, slots=True, kw_only=True)
class Includes:
    """Whether the reference is in the answer, both in normal form."""

    name: str
    metrics: tuple[Mean, ...]
    case: bool

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return 1 if the reference is in the answer; None without a reference."""
        if sample.reference is None or not sample.reference.strip():
            return None
        said, wanted = (normalised(one, case=self.case) for one in (answer.text, sample.reference))
        return Score(value=float(wanted in said))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Whether a pattern is found in the answer."""

    name: str
    metrics: tuple[Mean, ...]
    pattern: str

    def score(self, sample: Sample, answer: Answer) -> Score:
        """Return 1 if it is found; a pattern that takes too long is not."""
        failure = pattern_failure(self.pattern, answer.text)
        return Score(value=float(not failure), explanation=failure)


def make_expectations(options: Options) -> Expectations:
    """Return the scorer `expect`."""
    return Expectations()


def make_exact_match(options: Options) -> ExactMatch:
    """Return the scorer `exact_match`."""
    name = options.text("name", "exact_match")
    return ExactMatch(name=name, metrics=(share(name),), case=options.flag("case", True))


def make_includes(options: Options) -> Includes:
    """Return the scorer `includes`."""
    name = options.text("name", "includes")
    return Includes(name=name, metrics=(share(name),), case=options.flag("case", True))


def make_pattern(options: Options) -> Pattern:
    """Return the scorer `regex`."""
    name, pattern = options.text("name", "regex"), options.text("pattern")
    try:
        fault = Capped(Patterns).call("fault", pattern)
    except CapError as error:
        fault = str(error)
    if fault:
        raise options.error(
            f"The pattern {pattern!r} of the scorer {name} is not a regular expression: {fault}"
        )
    return Pattern(name=name, metrics=(share(name),), pattern=pattern)
