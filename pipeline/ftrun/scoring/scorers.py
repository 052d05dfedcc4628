"""The scorers by name, made from the experiment file's `eval.scorers`.

Importing this loads no package: scorers import what they work with when they score.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

from ftrun.errors import ConfigError
from ftrun.scoring.options import Options
from ftrun.scoring.own import own_scorer
from ftrun.scoring.types import Answer, Sample, Scorer

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


# the metrics of each scorer, the main one first
METRICS: Mapping[str, tuple[str, ...]] = {
    "expect": ("pass_rate",),
    "exact_match": ("exact_match",),
    "includes": ("includes",),
    "regex": ("regex",),
    "numeric": ("numeric",),
    "classification": ("accuracy", "precision_macro", "recall_macro", "f1_macro", "f1_micro"),
    "extraction": ("field_f1",),
    "bleu": ("bleu",),
    "chrf": ("chrf",),
    "rouge": ("rouge_1", "rouge_2", "rouge_l"),
    "json": ("json_valid",),
    "json_schema": ("json_schema",),
    "embedding": ("embedding",),
    "grader": ("grader",),
    "tool_call": ("tool_call",),
    "length": ("length",),
    "refusals": ("refusals",),
    "distinct_2": ("distinct_2",),
    "distinct_n": ("distinct_n",),
    "seconds": ("seconds",),
    "cost_usd": ("cost_usd",),
}
# a metric's name also names the scorer that has it, with this metric as the main one
SCORER_OF: Mapping[str, str] = {
    metric: scorer for scorer, metrics in METRICS.items() for metric in metrics if metric not in METRICS
}
FREE = ("length", "refusals", "distinct_2", "seconds", "cost_usd")  # they need neither reference nor package


@cache
def _makers() -> Mapping[str, Make]:
    """Return how each scorer is made; imported only when scorers are made, since checks need names alone."""
    from ftrun.scoring import (
        classification,
        embedding,
        matches,
        numbers,
        observations,
        overlap,
        structured,
        tool_calls,
    )
    from ftrun.scoring.graders import scorer as grader

    return {
        "expect": _plain(matches.make_expectations),
        "exact_match": _plain(matches.make_exact_match),
        "includes": _plain(matches.make_includes),
        "regex": _plain(matches.make_pattern),
        "numeric": _plain(numbers.make_numeric),
        "classification": classification.make_classification,
        "extraction": _plain(structured.make_extraction),
        "bleu": overlap.make_bleu,
        "chrf": _plain(overlap.make_chrf),
        "rouge": _plain(overlap.make_rouge),
        "json": _plain(structured.make_json),
        "json_schema": _plain(structured.make_json_schema),
        "embedding": _plain(embedding.make_embedding),
        "grader": _plain(grader.make_grader),
        "tool_call": _plain(tool_calls.make_tool_call),
        "length": _plain(observations.make_length),
        "refusals": _plain(observations.make_refusals),
        "distinct_2": _plain(observations.make_distinct),
        "distinct_n": _plain(observations.make_distinct),
        "seconds": _plain(observations.make_seconds),
        "cost_usd": _plain(observations.make_cost),
    }


def metric_names(name: str, options: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the names of the metrics that a scorer with these options has; None for a custom scorer, whose
    code alone knows them. Classification without declared labels also has `f1[LABEL]` of each label it finds.
    """
    scorer = SCORER_OF.get(name, name)
    if scorer not in METRICS:
        return None
    if scorer != name:
        names = metric_names(scorer, options) or ()
        return (name, *(one for one in names if one != name)) if name in names else names
    if name == "classification":
        labels = options.get("labels")
        listed = labels if isinstance(labels, list | tuple) else ()
        return (*METRICS[name], *(f"f1[{label}]" for label in listed))
    if name == "distinct_n":
        return (f"distinct_{options.get('n', 2)}",)
    renamed = options.get("name")
    return (renamed,) if isinstance(renamed, str) and len(METRICS[name]) == 1 else METRICS[name]


def check_scorer(name: str, options: Mapping[str, Any]) -> None:
    """Raise ConfigError if the options of a scorer are wrong, whatever is installed; custom scorers are
    unknown here. Reads the schema of `json_schema`, loads no models and no packages.
    """
    if name in METRICS or name in SCORER_OF:
        _made(SCORER_OF.get(name, name), options, (), checking=True)


def merged(specs: Sequence[Spec]) -> list[Spec]:
    """Return the entries without those that add nothing: a bare metric's name, where the metric's scorer is
    listed already. Options hold for the scorer, whichever of its names has them.
    """
    found: list[Spec] = []
    for name, options in specs:
        scorer = SCORER_OF.get(name, name)
        place = next(
            (
                index
                for index, (other, given) in enumerate(found)
                if other != name and SCORER_OF.get(other, other) == scorer and not (options and given)
            ),
            None,
        )
        if place is None:
            found.append((name, options))
        elif options:
            found[place] = (found[place][0], options)
    return found


def led_by(scorer: Scorer, metric: str | None) -> Scorer:
    """Return a scorer with one of its metrics as its main one, which the scores of single answers are of."""
    names, built_in = [one.name for one in scorer.metrics], scorer.name in METRICS
    if metric not in names[1:] or not built_in:
        return scorer
    first = scorer.metrics[names.index(metric)]
    data: Any = scorer  # all of ours are dataclasses
    led: Scorer = replace(data, metrics=(first, *(one for one in scorer.metrics if one is not first)))
    return led


def make_scorers(
    specs: Sequence[Spec], *, entry_points: Sequence[str] = (), samples: Sequence[Sample] = ()
) -> tuple[Scorer, ...]:
    """Return the scorers of these names and options, in this order.

    `entry_points` are the scorers that the command line names; those that no spec has are made last,
    without options. A metric's name makes the scorer that has it. `samples` decide what is left open:
    undeclared labels, the tokenizer of BLEU. ConfigError for unknown names, wrong options, a broken
    schema, and packages that aren't installed.
    """
    named = {name for name, _ in specs}
    own: list[Spec] = [(name, {}) for name in dict.fromkeys(entry_points) if name not in named]
    made: list[Scorer] = []
    for name, options in merged([*specs, *own]):
        own_one = name in entry_points and name not in METRICS
        scorer = SCORER_OF.get(name, name)
        one = own_scorer(name, options) if own_one else led_by(_made(scorer, options, samples), name)
        _refuse_doubles(one, made)
        made.append(one)
    return tuple(made)


def _made(
    name: str, given: Mapping[str, Any], samples: Sequence[Sample], *, checking: bool = False
) -> Scorer:
    if name not in METRICS:
        near = difflib.get_close_matches(name, [*METRICS, *SCORER_OF], n=1)
        raise ConfigError(
            f"There is no scorer called {name}.",
            code="unknown_scorer",
            hint=f"Did you mean `{near[0]}`?"
            if near
            else f"Custom scorers are named on the command line: --scorer {name}",
        )
    options = Options(name, given, checking=checking)
    scorer = _makers()[name](options, samples)
    options.end()
    return scorer


def _refuse_doubles(scorer: Scorer, others: Sequence[Scorer]) -> None:
    if scorer.name in {one.name for one in others}:
        raise ConfigError(
            f"Two scorers are called {scorer.name}.",
            code="scorer",
            hint="Delete one of them, or give it a name of its own: `name: …` among its options.",
        )
    for metric in {one.name for one in scorer.metrics} & {
        one.name for other in others for one in other.metrics
    }:
        raise ConfigError(
            f"Two scorers have a metric called {metric}, one of them {scorer.name}.",
            code="scorer",
            hint="Delete one of them, or give it a name of its own: `name: …` among its options.",
        )


def scorers_for(
    evaluation_specs: Sequence[Named], samples: Sequence[Sample], entry_points: Sequence[str] = ()
) -> tuple[Scorer, ...]:
    """Return the scorers of the experiment file, else those that fit the samples; always the free ones, and
    `expect` where a sample has expectations.

    By default: `expect` where any sample has expectations, `chrf` and `exact_match` where any has a
    reference, `tool_call` where one is expected. The first one's first metric is the main one.
    """
    listed = merged([(one.name, one.options) for one in evaluation_specs])
    specs: list[Spec] = listed or _defaults(samples)
    free = (*(("expect",) if any(one.expect for one in samples) else ()), *FREE)
    asked = [*specs, *((name, {}) for name in entry_points)]
    named = {one for name, options in asked for one in (name, *(metric_names(name, options) or ()))}
    named |= {SCORER_OF.get(one, one) for one in named}
    specs += [(name, {}) for name in free if name not in named]
    scorers = make_scorers(specs, entry_points=entry_points, samples=samples)
    for (name, _), scorer in zip(specs, scorers, strict=False):
        _refuse_unused(SCORER_OF.get(name, name), scorer, samples)
    return scorers


# what a scorer judges by: without any such sample it would judge nothing
_NEEDS: Mapping[str, str] = {
    "expect": "`expect`",
    "tool_call": "`expect.tool_call`",
    "numeric": "a number as its reference",
    "extraction": "a JSON object as its reference",
    "classification": "a label as its reference",
    **dict.fromkeys(("exact_match", "includes", "bleu", "chrf", "rouge", "embedding"), "a reference"),
}


def _refuse_unused(name: str, scorer: Scorer, samples: Sequence[Sample]) -> None:
    """Raise ConfigError if no sample has what a scorer judges by."""
    if name not in _NEEDS or not samples:
        return
    basis = (one.expect if name in ("expect", "tool_call") else one.reference for one in samples)
    judging = name in ("tool_call", "numeric", "extraction", "classification")  # not every basis will do
    empty = Answer(text="")
    if any(
        one is not None and (not judging or scorer.score(sample, empty) is not None)
        for one, sample in zip(basis, samples, strict=True)
    ):
        return
    raise ConfigError(
        f"The scorer {scorer.name} has nothing to judge: no question has {_NEEDS[name]}.",
        code="references",
        hint="Give questions a `reference` or `expect`, or delete the scorer from `eval.scorers`.",
    )


def _defaults(samples: Sequence[Sample]) -> list[Spec]:
    names = []
    if any(one.expect for one in samples):
        names.append("expect")
    if any(one.reference is not None for one in samples):
        # without the extra `eval` there are no scores of wording
        names += ["chrf", "exact_match"] if find_spec("sacrebleu") else ["exact_match"]
    if any("tool_call" in (one.expect or {}) for one in samples):
        names.append("tool_call")
    return [(name, {}) for name in names]
