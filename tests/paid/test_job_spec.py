"""The spec of a job: pinned, because a changed key would train, and bill, everything once more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from ftrun.experiment.model import Train
from ftrun.experiment.target import Target
from ftrun.files import digest
from ftrun.paid.job_spec import spec
from ftrun.workflow.context import Context

TARGET = Target(name="t", provider="openai", model="gpt-4.1-mini-2025-04-14")
GIVEN = {"n_epochs": 3, "batch_size": "auto", "learning_rate_multiplier": 1.0}


@dataclass(frozen=True, slots=True)
class Experiment:
    """As much of an experiment as a spec reads."""

    train: Train
    target: Target = TARGET


@dataclass(frozen=True, slots=True)
class Run:
    """As much of a context as a spec reads."""

    experiment: Experiment

    def sha(self, role: str) -> str | None:
        """Return the hash of a prepared file."""
        return {"train": "a" * 64}.get(role)


def made(**train: Any) -> dict[str, Any]:
    """Return the spec of a job."""
    return spec(cast(Context, Run(Experiment(Train(**{"hyperparameters": GIVEN, "seed": 42, **train})))))


@pytest.mark.parametrize(
    ("train", "pinned"),
    [
        ({"suffix": "cat"}, "eb577a403b12f637"),
        ({"method": "dpo", "hyperparameters": {**GIVEN, "beta": 0.1}}, "53011802588ca3a9"),
        (
            {"method": "reinforcement", "grader": {"type": "python"}, "hyperparameters": {"eval_samples": 2}},
            "3b7e15a8df9b863b",
        ),
        ({"suffix": "cat", "hyperparameters": {**GIVEN, "top_layers": 8}}, "e7721833313dc4fd"),
    ],
)
def test_specs_are_pinned(train: dict[str, Any], pinned: str) -> None:
    """The hash of each method's spec is what it was when jobs of it were first created."""
    assert digest(made(**train))[:16] == pinned


def test_a_supervised_spec_has_no_newer_keys() -> None:
    """What other methods brought stays out of the spec of a supervised job."""
    assert made()["hyperparameters"] == GIVEN
    assert "grader" not in made()
