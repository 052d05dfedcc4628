"""Compare an answer's tool calls with those expected: which functions, with which arguments.

Expected is a function's name, a mapping of `name` and `arguments`, or a list of such. Each expected call
needs a call of its own, in any order, and there must be no others; an empty list expects none. Only the
arguments that are listed count: they must be equal as JSON values (`1` and `1.0` are, `1` and `"1"` aren't).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrun.scoring.metrics import Mean, share
from ftrun.scoring.options import Options
from ftrun.scoring.texts.json_values import parsed, same, short
from ftrun.scoring.types import Answer, Sample, Score

Calls = Sequence[Mapping[str, Any]]


def expected_calls(expected: Any) -> list[Mapping[str, Any]]:
    """Return the calls that `expect.tool_call` means, as mappings of `name` and `arguments`."""
    listed = expected if isinstance(expected, list | tuple) else [expected]
    return [{"name": one} if isinstance(one, str) else one for one in listed]


def call_failures(expected: Any, calls: Calls) -> Iterator[str]:
    """Yield in words what the calls lack, and what nobody expected."""
    left = list(calls)
    missed = []
    # those with most arguments first, so that a call is not taken by one that any would fit
    for wanted in sorted(expected_calls(expected), key=lambda one: -len(one.get("arguments") or {})):
        found = next((one for one in left if not _differences(wanted, one)), None)
        if found is None:
            missed.append(wanted)
        else:
            left.remove(found)
    for wanted in missed:
        near = next((one for one in left if _name(one) == wanted["name"]), None)
        if near is None:
            yield f"does not call {wanted['name']}"
        else:
            left.remove(near)
            yield from _differences(wanted, near)
    for extra in left:
        yield f"calls {_name(extra)}, which is not expected"


def _differences(wanted: Mapping[str, Any], call: Mapping[str, Any]) -> list[str]:
    """Return in words how a call differs from the one wanted."""
    name = _name(call)
    if name != wanted["name"]:
        return [f"does not call {wanted['name']}"]
    listed = wanted.get("arguments") or {}
    given = parsed(str(_function(call).get("arguments") or "{}"))
    if not listed:
        return []
    if not isinstance(given, Mapping):
        return [f"calls {name} with arguments that are not a JSON object"]
    differences = []
    for argument, value in listed.items():
        if argument not in given:
            differences.append(f"calls {name} without {argument}")
        elif not same(given[argument], value):
            differences.append(
                f"calls {name} with {argument} {short(given[argument])} instead of {short(value)}"
            )
    return differences


def _function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = call.get("function")
    return function if isinstance(function, Mapping) else {}


def _name(call: Mapping[str, Any]) -> str:
    return str(_function(call).get("name", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """Whether exactly the expected tool calls were made."""

    name: str = "tool_call"
    metrics: tuple[Mean, ...] = (share("tool_call"),)

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return 1 if they were; None where no `expect.tool_call` says what is expected."""
        if not sample.expect or "tool_call" not in sample.expect:
            return None
        failures = list(call_failures(sample.expect["tool_call"], answer.tool_calls))
        return Score(value=float(not failures), explanation="; ".join(failures))


def make_tool_call(options: Options) -> ToolCall:
    """Return the scorer `tool_call`."""
    return ToolCall()
