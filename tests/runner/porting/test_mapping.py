"""What becomes of each thing on each kind of service: the table of a port."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Experiment
from ftrun.experiment.target import Target, target_of
from ftrun.runner.porting.mapping import (
    Mapped,
    model_mapping,
    service_name,
    shared_mapping,
    train_mapping,
)
from support.ported import OldExperiment

AZURE = {"provider": "azure", "endpoint": "https://a.openai.azure.com", "model": "gpt-4.1-mini"}
TARGETS: Mapping[str, Mapping[str, Any]] = {
    "local": {"provider": "local", "model": "smollm2-135m-instruct"},
    "openai": {"provider": "openai", "model": "gpt-4.1-mini-2025-04-14"},
    "azure": AZURE,
    "nebius": {
        "provider": "nebius",
        "model": "meta-llama/Llama-3.1-8B-Instruct",
        "hyperparameters": {"learning_rate": 0.00001, "lora": True},
    },
    "bare-nebius": {"provider": "nebius", "model": "meta-llama/Llama-3.1-8B-Instruct"},
    "crusoe": {"provider": "crusoe", "model": "m"},
    "bedrock": {"provider": "bedrock", "region": "us-west-2", "model": "openai.gpt-oss-20b"},
    "zhipu": {"provider": "zhipu", "model": "glm-4"},
    "other": {
        "provider": "openai",
        "base_url": "https://llm.example/v1",
        "api_key_env": "K",
        "model": "m",
        "capabilities": dict.fromkeys(("seed", "metadata", "validation_file"), "left_out"),
    },
}
RATE = "train.hyperparameters.learning_rate_multiplier"


def target(name: str) -> Target:
    """Return a target of the table above."""
    return target_of(name, TARGETS[name])


@pytest.fixture
def old(tmp_path: Path) -> OldExperiment:
    """Return an imported experiment, not written yet."""
    return OldExperiment(folder=tmp_path)


def read(old: OldExperiment, **values: Any) -> Experiment:
    """Write the old experiment and return it."""
    old.write(**values)
    return build_experiment(read_document(old.config), "openai")


def mapped(experiment: Experiment, to: str, given: Mapping[str, Any] | None = None) -> dict[str, Mapped]:
    """Return what becomes of training, by key."""
    return {one.key: one for one in train_mapping(experiment, target(to), given or {})}


@pytest.mark.parametrize(
    ("to", "new", "status"),
    [
        ("azure", 1.8, "kept"),
        ("openai", 1.8, "kept"),
        ("local", "auto", "changed"),
        ("nebius", "auto", "changed"),
        ("bare-nebius", None, "refused"),
        ("crusoe", "auto", "changed"),
        ("bedrock", "auto", "changed"),
        ("zhipu", "auto", "changed"),
        ("other", "auto", "changed"),
    ],
)
def test_a_multiplier_is_kept_where_the_rates_are_the_same(
    old: OldExperiment, to: str, new: Any, status: str
) -> None:
    """Between OpenAI and Azure; elsewhere it is `auto`, and never taken for an absolute rate."""
    found = mapped(read(old), to)[RATE]
    assert (found.old, found.new, found.status) == (1.8, new, status)
    assert found.reason
    if to == "bare-nebius":
        assert found.hint == "Choose a rate: --set targets.bare-nebius.hyperparameters.learning_rate=0.00001"
    if to == "nebius":
        assert "1e-05" in found.reason and "targets.nebius.hyperparameters" in found.reason


@pytest.mark.parametrize("to", list(TARGETS))
def test_everything_that_is_set_has_a_row_with_a_reason(old: OldExperiment, to: str) -> None:
    """Passes, batches, seed, suffix and metadata are named on every service; `from` is what they were."""
    found = mapped(read(old, train={"metadata": {"team": "desk"}}), to)
    assert {key: one.old for key, one in found.items()} == {
        "train.method": "supervised",
        "train.hyperparameters.n_epochs": 2,
        "train.hyperparameters.batch_size": 1,
        RATE: 1.8,
        "train.seed": 42,
        "train.suffix": "desk",
        "train.metadata": {"team": "desk"},
    }
    assert all(one.reason for one in found.values())
    for name in ("n_epochs", "batch_size"):
        one = found[f"train.hyperparameters.{name}"]
        assert (one.status, one.new) == ("kept", one.old)
    dropped = {key for key, one in found.items() if one.status == "dropped"}
    assert dropped == {
        "bedrock": {"train.suffix"},
        "other": {"train.seed", "train.metadata"},
    }.get(to, set())


@pytest.mark.parametrize("to", list(TARGETS))
def test_auto_stays_auto(old: OldExperiment, to: str) -> None:
    """What was left to the provider is left to the new one, where that has no `auto` too."""
    automatic = dict.fromkeys(("n_epochs", "batch_size", "learning_rate_multiplier"), "auto")
    found = mapped(read(old, train={"hyperparameters": automatic}), to)
    for name in automatic:
        one = found[f"train.hyperparameters.{name}"]
        assert (one.old, one.new, one.status) == ("auto", "auto", "kept")
    unknown = "does not know `auto`" in found["train.hyperparameters.n_epochs"].reason
    assert unknown is (to in ("nebius", "bare-nebius"))


@pytest.mark.parametrize(
    ("to", "trained"),
    [
        ("local", False),
        ("nebius", False),
        ("azure", True),
        ("openai", True),
        ("crusoe", True),
        ("other", True),
    ],
)
def test_a_method_that_the_service_lacks_is_refused(old: OldExperiment, to: str, trained: bool) -> None:
    """With its hyperparameters kept where it is known."""
    found = mapped(read(old, train={"method": "dpo", "hyperparameters": {"beta": 0.2}}), to)
    assert (found["train.method"].status == "kept") is trained
    assert found["train.hyperparameters.beta"].new == 0.2
    assert trained or found["train.method"].hint == "Choose a target that does with --to."


GRADER = {
    "type": "multi",
    "graders": {
        "one": {
            "type": "score_model",
            "name": "one",
            "model": "m",
            "input": [{"role": "user", "content": "x"}],
        },
        "two": {
            "type": "string_check",
            "name": "two",
            "operation": "eq",
            "input": "{{ sample.output_text }}",
            "reference": "x",
        },
    },
    "calculate_output": "one + two",
    "name": "both",
}


def test_graders_of_the_provider_have_no_counterpart_on_the_engine(old: OldExperiment) -> None:
    """Wherever they are in a grader; Bedrock may refuse them, and that is said."""
    experiment = read(old, train={"method": "reinforcement", "grader": GRADER})
    refused = mapped(experiment, "local")["train.grader"]
    assert refused.status == "refused" and "score_model" in refused.reason
    assert mapped(experiment, "azure")["train.grader"].status == "kept"
    assert "lambda" in mapped(experiment, "bedrock")["train.grader"].reason


def test_what_only_the_old_service_knows_is_dropped(old: OldExperiment) -> None:
    """Its extra fields and hyperparameters, with where the new target has its own."""
    azure = {**AZURE, "extra_body": {"trainingType": "globalStandard"}, "hyperparameters": {"x": 1}}
    found = mapped(read(old, targets={"openai": azure}), "nebius")
    extra, own = found["targets.openai.extra_body"], found["targets.openai.hyperparameters"]
    assert (extra.old, extra.new, extra.status) == ({"trainingType": "globalStandard"}, None, "dropped")
    assert own.new == {"learning_rate": 0.00001, "lora": True}
    assert found["train.hyperparameters.learning_rate_multiplier"].status == "changed"


def test_a_budget_and_a_shared_state_are_inherited(old: OldExperiment) -> None:
    """What may be paid, and where it is remembered, is said too; nothing of either: no row."""
    assert not list(shared_mapping(read(old)))
    experiment = read(old, budget={"usd": 5}, state="s3://bucket/ftrun")
    assert [(one.key, one.new) for one in shared_mapping(experiment)] == [
        ("budget.usd", 5),
        ("state", "s3://bucket/ftrun"),
    ]


def test_what_a_person_sets_is_not_mapped(old: OldExperiment) -> None:
    """But a multiplier for a service with absolute rates is refused all the same."""
    given = {"seed": None, "hyperparameters": {"n_epochs": 4, "learning_rate_multiplier": 0.5}}
    found = mapped(read(old), "local", given)
    assert (found["train.seed"].new, found["train.seed"].reason) == (None, "set with --set")
    assert found["train.hyperparameters.n_epochs"].new == 4
    assert found[RATE].new == 0.5
    assert mapped(read(old), "nebius", given)[RATE].status == "refused"


def test_the_model_is_shown_with_what_is_known_of_it(old: OldExperiment) -> None:
    """Size, licence, languages and context; of an unknown one, that nothing is known."""
    experiment = read(old)
    local = model_mapping(experiment.target, target("local"), "the built-in model")
    assert (local.old, local.new) == ("gpt-4o-mini-2024-07-18", "smollm2-135m-instruct")
    for part in ("135 million", "Apache-2.0", "English", "8192", "65536"):
        assert part in local.reason
    hub = target_of("local", {"provider": "local", "model": "Qwen/Qwen3-0.6B"})
    assert "600 million" in model_mapping(experiment.target, hub, "x").reason
    other = target_of("local", {"provider": "local", "model": "someone/some-model"})
    assert "nothing else is known" in model_mapping(experiment.target, other, "x").reason


def test_services_are_called_by_their_names() -> None:
    """An unknown server by its target."""
    names = {name: service_name(target(name)) for name in ("local", "azure", "nebius", "crusoe", "other")}
    assert names == {
        "local": "the engine on this machine",
        "azure": "Azure",
        "nebius": "Nebius Token Factory",
        "crusoe": "Crusoe Intelligence",
        "other": "the server of target other",
    }
