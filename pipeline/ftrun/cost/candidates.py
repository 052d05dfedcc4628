"""Who is paid for an evaluation's candidates: the target that each is asked at, with the model whose price
holds. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from ftrun.experiment.model import CandidateSpec, Experiment
from ftrun.experiment.target import Target

Priced = Callable[[Target], Target]


def _as_it_is(target: Target) -> Target:
    """A target's own model, tuned or not: the tables have one price, that of the tuned model."""
    return target


# candidates whose name stands for the target's own model; any other name is a model's id
PRICED: Mapping[str, Priced] = dict.fromkeys(("tuned", "base", "few-shot", "retrieval"), _as_it_is)
SHOWN = {"few-shot": 3, "retrieval": 3}  # training rows with each question, where the file doesn't say
CHECKPOINT = re.compile(r"ckpt-step-\d+")  # of the tuned model


def target_named(experiment: Experiment, name: str | None) -> Target:
    """Return the target of the file of that name; None: the experiment's."""
    if name is None or name == experiment.target.name:
        return experiment.target
    return next(one for one in experiment.targets if one.name == name)


def priced_target(experiment: Experiment, spec: CandidateSpec) -> Target | None:
    """Return the target that a candidate is asked at, with the model whose price holds; None: nobody is."""
    if spec.model is None:
        return None
    target = target_named(experiment, spec.target)
    own = PRICED.get(spec.model) or (_as_it_is if CHECKPOINT.fullmatch(spec.model) else None)
    return own(target) if own else replace(target, model=spec.model)


def priced_candidate(experiment: Experiment, name: str, model: str, target: str | None = None) -> Target:
    """Return the same for the candidate of that name, which `model` at `target` answers for."""
    spec = next((one for one in experiment.evaluation.candidates if one.name == name), None)
    priced = priced_target(experiment, spec) if spec is not None else None
    return priced or replace(target_named(experiment, target), model=model)


def shown_rows(spec: CandidateSpec) -> int:
    """Return how many training examples and rows a candidate gets with each question."""
    given = {"few-shot": spec.few_shot, "retrieval": spec.retrieval}
    usual = SHOWN.get(spec.model or "", 0)
    return sum((usual if name == spec.model else 0) if one is None else one for name, one in given.items())


def other_targets(experiment: Experiment) -> tuple[Target, ...]:
    """Return the targets, besides the experiment's own, that candidates are asked at."""
    specs = experiment.evaluation.candidates if experiment.evaluation.asks else ()
    names = dict.fromkeys(one.target for one in specs if one.target and one.model is not None)
    return tuple(target_named(experiment, name) for name in names if name != experiment.target.name)


def is_free(experiment: Experiment) -> bool:
    """Return whether nothing can cost money: whatever is asked is the engine on this machine."""
    return all(one.provider == "local" for one in (experiment.target, *other_targets(experiment)))
