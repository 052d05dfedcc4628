"""The spec of a job: what makes two jobs the same work. All stages from `train` on stand on it."""

from __future__ import annotations

from typing import Any

from ftrun.files import digest
from ftrun.paid.lineage import starting_model
from ftrun.workflow.context import Context

SPEC_VERSION = 1
HYPERPARAMETERS = ("n_epochs", "batch_size", "learning_rate_multiplier")
# what else a method takes; left out, the provider chooses
MORE = {
    "dpo": ("beta",),
    "reinforcement": ("compute_multiplier", "eval_interval", "eval_samples", "reasoning_effort"),
}


def spec(context: Context) -> dict[str, Any]:
    """Return the canonical request and the hashes of its data; ids and names of a server stay out of it."""
    train = context.experiment.train
    start = starting_model(context)
    given = train.hyperparameters
    more = {name: given[name] for name in MORE.get(train.method, ()) if name in given}
    grader = {"grader": train.grader} if train.method == "reinforcement" else {}
    return {
        "spec version": SPEC_VERSION,
        "model": context.experiment.target.model,
        "method": train.method,
        "hyperparameters": {**{name: given.get(name, "auto") for name in HYPERPARAMETERS}, **more},
        **grader,
        "seed": train.seed,
        "suffix": train.suffix,
        "training data": context.sha("train") or "",
        "validation data": context.sha("validation"),
        # only where it is asked for: specs made before there was the key stay what they were
        **({"continue from": start} if start else {}),
        **_of_the_service(context),
    }


def _of_the_service(context: Context) -> dict[str, Any]:
    """Return what a target adds to its jobs, where it adds something."""
    target = context.experiment.target
    given = {"extra body": target.extra_body, "service hyperparameters": target.hyperparameters}
    return {name: dict(values) for name, values in given.items() if values}


def spec_base(context: Context) -> str:
    """Return the spec's hash without the attempt."""
    return digest(spec(context))


def spec_key(context: Context) -> str:
    """Return what a job carries as metadata `ftrun_spec`: the spec's hash with its attempt."""
    base = spec_base(context)
    attempt = context.state.attempts.get(base, 1)
    return digest({"spec": base, "attempt": attempt})[:32]
