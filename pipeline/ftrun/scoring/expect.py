"""Judge one answer by the `expect` of its question. Knows neither models nor files.

All conditions hold or the answer fails; case matters. `equals` ignores whitespace around both
texts, nothing else. `regex` is searched for anywhere in the answer; patterns come from the experiment file,
which may be somebody else's, so they are tried in a process that can be killed. `tool_call` is about the
answer's tool calls (`scoring.tool_calls`), all others are about its text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrun.scoring.texts.normal_form import normalised
from ftrun.scoring.texts.patterns import SEARCH_SECONDS, Patterns
from ftrun.scoring.tool_calls import call_failures
from ftrun.untrusted import CapError, Capped

Calls = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether an answer passed (None: nothing was expected), and which conditions it failed, in words."""

    passed: bool | None
    failures: tuple[str, ...] = ()


def judge(
    expect: Mapping[str, Any] | None, answer: str, tool_calls: Sequence[Mapping[str, Any]] = ()
) -> Judgement:
    """Judge an answer's text and tool calls; without conditions there is nothing to judge.

    ValueError if `expect` holds a condition that the schema does not know.
    """
    if not expect:
        return Judgement(passed=None)
    failures = tuple(_failures(expect, answer, tool_calls))
    return Judgement(passed=not failures, failures=failures)


def _failures(expect: Mapping[str, Any], answer: str, calls: Calls) -> Iterator[str]:
    for condition, value in expect.items():
        if condition == "all":
            for inner in value:
                yield from _failures(inner, answer, calls)
        elif condition == "any":
            yield from _none_of(value, answer, calls)
        elif condition == "tool_call":
            yield from call_failures(value, calls)
        elif condition in CONDITIONS:
            texts = [value] if isinstance(value, str) else value
            found = (CONDITIONS[condition](text, answer) for text in texts)
            yield from (failure for failure in found if failure)
        else:
            raise ValueError(f"unknown condition {condition!r}")


def _none_of(alternatives: Sequence[Mapping[str, Any]], answer: str, calls: Calls) -> Iterator[str]:
    """Yield one failure that names what each alternative lacks, if none of them holds."""
    lacks = []
    for alternative in alternatives:
        failures = list(_failures(alternative, answer, calls))
        if not failures:
            return
        lacks.append(" and ".join(failures))
    yield f"none of these holds: {'; '.join(lacks)}"


def pattern_failure(pattern: str, answer: str) -> str:
    """Return why a pattern is not found in the answer; an empty text if it is."""
    try:
        found = _patterns(pattern).call("search", pattern, answer)
    except TimeoutError:
        return f"/{pattern}/ took too long (over {SEARCH_SECONDS:g} s)"
    except CapError as error:
        return f"/{pattern}/ is too expensive to try: {error}"
    if isinstance(found, str):
        return f"/{pattern}/ is not a regular expression ({found})"
    return "" if found else f"does not match /{pattern}/"


def _taught(text: str, answer: str) -> str:
    """Return a failure unless the answer has the normal form of the one that was trained on."""
    return "" if normalised(text) == normalised(answer) else "is not the answer that was taught"


@functools.lru_cache(1000)
def _patterns(_pattern: str) -> Capped:
    """Return a process for a pattern: each has its own budget."""
    return Capped(Patterns)


CONDITIONS: Mapping[str, Callable[[str, str], str]] = {
    "contains": lambda text, answer: "" if text in answer else f"does not contain “{text}”",
    "not_contains": lambda text, answer: f"contains “{text}”" if text in answer else "",
    "equals": lambda text, answer: "" if text.strip() == answer.strip() else f"is not “{text.strip()}”",
    "regex": pattern_failure,
    "taught": _taught,  # of training questions that are asked again; the experiment file has no such key
}
