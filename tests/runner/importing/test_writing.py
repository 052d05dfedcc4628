"""The text of an imported experiment: whatever a server says, it reads back as just that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrun.experiment.nodes import plain
from ftrun.experiment.yaml12 import compose
from ftrun.runner.importing.file_store import StoredFile
from ftrun.runner.importing.jobs import Recipe, base_of, recipe_of, used_hyperparameters, why_not
from ftrun.runner.importing.writing import Draft, experiment_text
from ftrun.targets import Job

FILE = StoredFile(file_id="file-1", sha256="0" * 64, bytes=12, name="a\nb: #\u2028\x07.jsonl")
ODD = [
    "no",
    "12:30",
    "a: b # c",
    '"',
    "'",
    "\\",
    "- x",
    "みなと",
    "\x07\x85\u2028\ufeff",
    "null",
    "1e3",
    "~",
    " x",
    "{{ a }}",
]
TEXTS = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))


def draft(**more: Any) -> Draft:
    """Return a draft with a recipe of these values."""
    recipe: dict[str, Any] = {
        **{"base": "m", "continue_from": None, "method": "supervised", "hyperparameters": {"n_epochs": 3}},
        **{"own_hyperparameters": {}, "seed": 1, "suffix": "s", "metadata": {}, "grader": None},
    }
    job = Job(
        id="ftjob-1", status="succeeded", model="m", training_file="file-1", fine_tuned_model="ft:m:o:s:1"
    )
    return Draft(
        name="a",
        target="old",
        mapping={"provider": "openai", "model": "x", "price": {"train": 3, "input": 0.3, "output": 1e-05}},
        job=job,
        recipe=Recipe(**{**recipe, **more}),
        training=FILE,
        validation=FILE,
        missing=(),
        date="2026-11-29",
        schema="../schemas/experiment.schema.json",
    )


@given(TEXTS, TEXTS, TEXTS)
def test_texts_of_others_read_back_as_they_are(suffix: str, key: str, value: str) -> None:
    """Suffix, metadata and graders are quoted safely, also control characters and YAML's own words."""
    grader = {"type": "python", "source": value, "nested": [{"a": suffix, "b": None, "c": True}]}
    text = experiment_text(draft(suffix=suffix, metadata={key: value}, grader=grader))
    found = plain(compose(text, None))
    assert found["train"]["suffix"] == suffix
    assert found["train"]["metadata"] == {key: value}
    assert found["train"]["grader"] == grader
    assert found["targets"]["old"]["price"] == {"train": 3, "input": 0.3, "output": 1e-05}
    assert found["targets"]["old"]["model"] == "m"


@pytest.mark.parametrize(
    ("given_one", "kept"),
    [({"name": "chat"}, None), ({"name": "chat", "sku": "standard"}, {"sku": "standard"})],
)
def test_the_deployment_of_another_model_is_left_out(given_one: Any, kept: Any) -> None:
    """A deployment's name says which model answers; how to deploy one holds for every job."""
    made = replace(draft(), mapping={"provider": "azure", "model": "x", "deployment": given_one})
    text = experiment_text(made)
    read = plain(compose(text, None, ""))
    assert read["targets"]["old"].get("deployment") == kept


def test_a_comment_is_one_line() -> None:
    """A file's name can't end the comment that it is in."""
    lines = experiment_text(draft()).splitlines()
    (named,) = {line.strip() for line in lines if "12 bytes" in line and line.startswith("    - ")}
    assert named.endswith(r"# a\nb: #\u2028\x07.jsonl, 12 bytes, file-1")
    assert lines[0] == "# yaml-language-server: $schema=../schemas/experiment.schema.json"


def job(**more: Any) -> Job:
    """Return a job that succeeded."""
    given: dict[str, Any] = {
        **{"id": "ftjob-1", "status": "succeeded", "model": "m", "training_file": "f"},
        **{"fine_tuned_model": "ft:m:o:s:1", **more},
    }
    return Job(**given)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, None),
        ({"status": "failed", "error": "bad rows"}, "job_failed"),
        ({"status": "cancelled"}, "job_cancelled"),
        ({"status": "queued"}, "job_unfinished"),
        ({"status": "something new"}, "job_unfinished"),
        ({"fine_tuned_model": None}, "no_tuned_model"),
        ({"model": "", "fine_tuned_model": "tuned-1"}, "no_base"),
        ({"model": ""}, None),
    ],
)
def test_which_jobs_can_be_imported(more: dict[str, Any], code: str | None) -> None:
    """Those with a model whose base is known, from the job or from the tuned model's name."""
    found = why_not(job(**more))
    assert (found and found[0]) == code


def test_values_of_a_job() -> None:
    """Numbers come as numbers, also from text; auto is what was used, where the server tells it."""
    given = job(
        hyperparameters={
            "n_epochs": "3",
            "batch_size": "auto",
            "learning_rate_multiplier": 2,
            "lora_r": 16.5,
        },
        document={"hyperparameters": {"n_epochs": 9, "batch_size": 4.0}},
        metadata={
            "ftrun_spec": "x",
            "team": "web",
            "api_key": "abc",
            "sha": "0123456789abcdef0123456789abcdef",
        },
    )
    assert used_hyperparameters(given) == {
        **{"n_epochs": 3, "batch_size": 4, "learning_rate_multiplier": 2, "lora_r": 16.5}
    }
    recipe = recipe_of(given, local=False)
    assert recipe.own_hyperparameters == {"lora_r": 16.5}
    assert recipe.metadata == {"team": "web"}
    assert len(recipe.notes) == 2
    assert recipe_of(given, local=True).own_hyperparameters == {}


def test_a_job_tuned_from_a_tuned_model_has_its_base() -> None:
    """ft:BASE:… means BASE, and the training continues from the tuned model."""
    given = job(model="ft:gpt-4o-mini:acme::abc")
    assert base_of(given) == "gpt-4o-mini"
    assert recipe_of(given, local=False).continue_from == "ft:gpt-4o-mini:acme::abc"
