"""A job is recognised by what was asked for, however a server tells it, and another's is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ftrun.targets.matching import is_another, same_model, same_suffix
from ftrun.targets.service import JobRequest, RemoteFile
from support.scripted_server import Answer, listed
from targets.conftest import Connect

ASKED = JobRequest(
    model="gpt-4.1-mini",
    training_file="file-1",
    validation_file="file-2",
    hyperparameters={"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 0.1},
    seed=7,
    suffix="Hiroyuki_Long-Suffix",
    metadata={"ftrun_spec": "ours"},
    file_names={"file-1": "a-train-0123456789abcdef.jsonl", "file-2": "a-validation-0123456789abcdef.jsonl"},
)
TOLD: dict[str, Any] = {
    "id": "ftjob-1",
    "status": "running",
    "model": "gpt-4.1-mini",
    "training_file": "file-1",
    "validation_file": "file-2",
    "hyperparameters": {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 0.1},
    "seed": 7,
    "user_provided_suffix": "Hiroyuki_Long-Suffix",
}


def changed(**values: Any) -> dict[str, Any]:
    """Return the job as told with hyperparameters changed."""
    return {"hyperparameters": {**TOLD["hyperparameters"], **values}}


@pytest.mark.parametrize(
    "told",
    [
        {"validation_file": None},
        {"validation_file": ""},
        {"training_file": {"id": "file-1", "object": "file"}, "validation_file": {"id": "file-2"}},
        {"training_file": "/v1/files/file-1/content", "validation_file": "files/file-2"},
        {"training_file": "s3://bucket/a-train-0123456789abcdef.jsonl", "validation_file": None},
        {"model": ""},
        {"model": None},
        {"model": {"id": "gpt-4.1-mini", "object": "model"}},
        {"model": "openai/gpt-4.1-mini"},
        {"model": "models/GPT-4.1-Mini"},
        {"model": "azure:gpt-4.1-mini-2025-04-14"},
        changed(learning_rate_multiplier=0.10000000149011612),
        changed(learning_rate_multiplier=0.09997558593750),
        changed(learning_rate_multiplier="0.1"),
        changed(learning_rate_multiplier=0.1000061),
        changed(n_epochs="3", batch_size=8.0),
        changed(n_epochs=3.0, batch_size="8"),
        {"hyperparameters": None},
        {"hyperparameters": {"n_epochs": 3}},
        {"seed": "7"},
        {"seed": 0},
        {"seed": None},
        {"user_provided_suffix": None},
        {"user_provided_suffix": "hiroyuki-long-suffix"},
        {"user_provided_suffix": "hiroyuki-long-suf"},
    ],
)
def test_a_job_without_metadata_is_recognised_as_servers_tell_it(
    connect: Connect, told: dict[str, Any]
) -> None:
    """What a server leaves out, rounds, spells otherwise or tells as an object can't speak against a job."""
    _, service = connect(lambda asked: listed([{**TOLD, **told}]))
    assert [job.id for job in service.find_jobs(ASKED, others=())] == ["ftjob-1"]


@pytest.mark.parametrize(
    "told",
    [
        {"training_file": None},
        {"training_file": {"id": "file-9"}},
        {"training_file": "a-train-fedcba9876543210.jsonl"},
        {"validation_file": "file-9"},
        {"validation_file": {"id": "file-9"}},
        {"model": "gpt-4.1"},
        {"model": "gpt-4.1-mini-nano"},
        {"model": "openai/gpt-4o-mini"},
        {"model": "ft:gpt-4.1-mini:org::1"},
        changed(n_epochs="4"),
        changed(n_epochs=2),
        changed(batch_size=9),
        changed(learning_rate_multiplier=0.11),
        changed(learning_rate_multiplier="auto"),
        {"seed": "8"},
        {"user_provided_suffix": "other"},
        {"user_provided_suffix": "hiro"},
    ],
)
def test_a_job_that_tells_another_value_is_another(connect: Connect, told: dict[str, Any]) -> None:
    """What is named as something else speaks against a job, and the training file must be named."""
    _, service = connect(lambda asked: listed([{**TOLD, **told}]))
    assert service.find_jobs(ASKED, others=()) == []


def test_a_job_that_tells_our_validation_file_is_surer_than_one_that_tells_none(connect: Connect) -> None:
    """Of two jobs on the same training file the one without validation is not taken for a second one."""
    bare = {**TOLD, "id": "ftjob-2", "validation_file": None}
    _, service = connect(lambda asked: listed([bare, TOLD]))
    assert [job.id for job in service.find_jobs(ASKED, others=())] == ["ftjob-1"]


def test_no_job_is_taken_while_our_own_file_is_not_known(connect: Connect) -> None:
    """Before the upload, jobs that tell neither metadata nor files are nobody's."""
    bare = {name: value for name, value in TOLD.items() if name not in ("training_file", "validation_file")}
    _, service = connect(lambda asked: listed([bare]))
    assert service.find_jobs(replace(ASKED, training_file="", validation_file=None), others=()) == []


def test_a_spec_key_decides_whatever_else_is_told(connect: Connect) -> None:
    """A job with our key is ours under any name; one with another key is not, though all else is equal."""
    ours = {**TOLD, "model": "internal-7", "training_file": None, "metadata": {"ftrun_spec": "ours"}}
    theirs = {**TOLD, "id": "ftjob-2", "metadata": {"ftrun_spec": "theirs"}}
    _, service = connect(lambda asked: listed([theirs, ours]))
    assert [job.id for job in service.find_jobs(ASKED, others=())] == ["ftjob-1"]
    _, service = connect(lambda asked: listed([theirs]))
    assert service.find_jobs(ASKED, others=()) == []


def test_a_job_whose_metadata_were_stripped_on_the_way_is_found_among_marked_ones(connect: Connect) -> None:
    """A gateway that one machine asks through may strip them: that other jobs carry a key says nothing."""
    marked = {**TOLD, "id": "ftjob-2", "seed": 9, "metadata": {"ftrun_spec": "theirs"}}
    _, service = connect(lambda asked: listed([marked, TOLD]))
    assert [job.id for job in service.find_jobs(ASKED, others=())] == ["ftjob-1"]


@pytest.mark.parametrize(
    ("asked", "told", "same"),
    [
        (1.85, 1.9, True),
        (1.85, "1.850", True),
        (0.123, 0.11999999731779099, True),
        (0.05, 0.1, False),
        (1.8, 1.9, False),
        (255, 256.0, False),
        (True, "true", True),
        (True, 1, True),
        ("low", "high", False),
        ({"r": 8}, {"rank": 8}, True),
    ],
)
def test_values_of_a_service(connect: Connect, asked: Any, told: Any, same: bool) -> None:
    """A service's own hyperparameters are compared too: rounded ones are the same, others are not."""
    request = replace(ASKED, own_hyperparameters={"own": asked})
    _, service = connect(lambda asked: listed([{**TOLD, **changed(own=told)}]))
    assert bool(service.find_jobs(request, others=())) is same


@pytest.mark.parametrize(
    ("asked", "told", "same"),
    [
        ("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini", True),
        ("gpt-4.1-mini-2025-04-14", "openai/gpt-4.1-mini-20250414", True),
        ("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini-2024-07-18", False),
        ("gpt-3.5-turbo", "gpt-3.5-turbo-0613", True),
        ("gpt-3.5-turbo-1106", "gpt-3.5-turbo-0613", False),
        ("meta-llama/Llama-3.1-8B", "llama-3.1-8b", True),
        ("meta-llama/Llama-3.1-8B", "unsloth/Llama-3.1-8B", False),
        ("accounts/fireworks/models/llama-3", "llama-3", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("ft:gpt-4.1:org:a:1", "ft:gpt-4.1:org:a:2", False),
    ],
)
def test_names_of_one_model(asked: str, told: str, same: bool) -> None:
    """Case, a provider's prefix and an alias do not make another model; another date or owner does."""
    assert same_model(asked, told) is same


@pytest.mark.parametrize(
    ("told", "same"), [("a.b c", True), ("ABC", True), ("ab", False), ("abcd", False), ("", False)]
)
def test_a_suffix_that_was_cleaned(told: str, same: bool) -> None:
    """Other characters are the same suffix, another word is not; a short one was not cut."""
    assert same_suffix("a-b_c", told) is same


@pytest.mark.parametrize(
    ("told", "another"),
    [
        ({}, False),
        ({"name": ""}, False),
        ({"bytes": 0}, False),
        ({"purpose": "fine-tune"}, False),
        ({"purpose": "FINE_TUNE"}, False),
        ({"purpose": "training"}, False),
        ({"purpose": "Fine-Tune-Results"}, True),
        ({"name": "uploads/zwei-train-0123456789abcdef.jsonl"}, False),
        ({"name": "theirs.jsonl"}, True),
        ({"name": "toy-train-fedcba9876543210.jsonl"}, True),
        ({"bytes": 8}, True),
        ({"purpose": "batch"}, True),
    ],
)
def test_a_file_under_a_known_id_is_compared(told: dict[str, Any], another: bool) -> None:
    """Another name, size or purpose is another file; what is not told is not held against it."""
    ours = {"id": "file-1", "name": "toy-train-0123456789abcdef.jsonl", "bytes": 7}
    file = RemoteFile(**{**ours, **told})
    assert is_another(file, "toy-train-0123456789abcdef.jsonl", 7) is another


def test_a_file_for_another_purpose_is_not_found(connect: Connect) -> None:
    """A server that ignores the filter by purpose shows what can't be trained on."""
    file = {"id": "file-1", "filename": "a.jsonl", "bytes": 7, "purpose": "assistants", "status": "processed"}
    _, service = connect(lambda asked: listed([file]))
    assert service.find_file("a.jsonl", 7) is None
    ours = {**file, "purpose": "fine-tune"}
    _, service = connect(lambda asked: listed([ours]) if asked.path == "/files" else Answer(ours))
    assert service.find_file("a.jsonl", 7) is not None


def test_files_told_as_objects_are_read_by_their_id(connect: Connect) -> None:
    """Who asks which files a job uses gets ids."""
    told = {**TOLD, "training_file": {"id": "file-1"}, "validation_file": {}}
    _, service = connect(lambda asked: Answer(told))
    job = service.job("ftjob-1")
    assert (job.training_file, job.validation_file) == ("file-1", None)
