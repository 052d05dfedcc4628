"""The scorers by name, made from the experiment file's `eval.scorers`.

Importing this loads no package: scorers import what they work with when they score.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ftrun.errors import ConfigError
from ftrun.scoring import matches, observations, tool_calls
from ftrun.scoring.options import Options
from ftrun.scoring.types import Sample, Scorer

Spec = tuple[str, Mapping[str, Any]]


class Named(Protocol):
    """An entry of `eval.scorers`, such as `experiment.model.ScorerSpec`."""

    @property
    def name(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


Make = Callable[[Options, Sequence[Sample]], Scorer]


def _plain(make: Callable[[Options], Scorer]) -> Make:
    return lambda options, samples: make(options)


# name -> how it is made, and its metrics
_SCORERS: Mapping[str, tuple[Make, tuple[str, ...]]] = {
    "expect": (_plain(matches.make_expectations), ("pass_rate",)),
    "exact_match": (_plain(matches.make_exact_match), ("exact_match",)),
    "includes": (_plain(matches.make_includes), ("includes",)),
    "regex": (_plain(matches.make_pattern), ("regex",)),
    "tool_call": (_plain(tool_calls.make_tool_call), ("tool_call",)),
    "length": (_plain(observations.make_length), ("length",)),
    "refusals": (_plain(observations.make_refusals), ("refusals",)),
    "distinct_2": (_plain(observations.make_distinct), ("distinct_2",)),
    "distinct_n": (_plain(observations.make_distinct), ("distinct_n",)),
    "seconds": (_plain(observations.make_seconds), ("seconds",)),
    "cost_usd": (_plain(observations.make_cost), ("cost_usd",)),
}
METRICS: Mapping[str, tuple[str, ...]] = {name: metrics for name, (_, metrics) in _SCORERS.items()}
FREE = ("length", "refusals", "distinct_2", "seconds", "cost_usd")  # they need neither reference nor package


def make_scorers(
    specs: Sequence[Spec], *, entry_points: Sequence[str] = (), samples: Sequence[Sample] = ()
) -> tuple[Scorer, ...]:
    """Return the scorers of these names and options, in this order.

    `samples` decide what is left open: undeclared labels, the tokenizer of BLEU. ConfigError for unknown
    names, wrong options, a broken schema, and packages that aren't installed.
    """
    made = tuple(_made(name, options, samples) for name, options in specs)
    for number, one in enumerate(made):
        if one.name in {other.name for other in made[:number]}:
            raise ConfigError(
                f"`eval.scorers` has two scorers called {one.name}.",
                code="scorer_options",
                hint="Delete one of them, or give it a name of its own: `name: …` among its options.",
            )
    return made


def _made(name: str, given: Mapping[str, Any], samples: Sequence[Sample]) -> Scorer:
    if name not in _SCORERS:
        near = difflib.get_close_matches(name, _SCORERS, n=1)
        raise ConfigError(
            f"There is no scorer called {name}.",
            code="unknown_scorer",
            hint=f"Did you mean `{near[0]}`?" if near else f"Scorers: {', '.join(sorted(_SCORERS))}.",
        )
    options = Options(name, given)
    scorer = _SCORERS[name][0](options, samples)
    options.end()
    return scorer


def scorers_for(
    evaluation_specs: Sequence[Named], samples: Sequence[Sample], entry_points: Sequence[str] = ()
) -> tuple[Scorer, ...]:
    """Return the scorers of the experiment file, else those that fit the samples; always the free ones, and
    `expect` where a sample has expectations.

    By default: `expect` where any sample has expectations, `exact_match` where any has a reference,
    `tool_call` where one is expected. The first one's first metric is the main one.
    """
    specs: list[Spec] = [(one.name, one.options) for one in evaluation_specs] or _defaults(samples)
    free = (*(("expect",) if any(one.expect for one in samples) else ()), *FREE)
    named = {name for name, _ in specs}
    specs += [(name, {}) for name in free if name not in named]
    return make_scorers(specs, entry_points=entry_points, samples=samples)


def _defaults(samples: Sequence[Sample]) -> list[Spec]:
    names = []
    if any(one.expect for one in samples):
        names.append("expect")
    if any(one.reference is not None for one in samples):
        names += ["exact_match"]
    if any("tool_call" in (one.expect or {}) for one in samples):
        names.append("tool_call")
    return [(name, {}) for name in names]
