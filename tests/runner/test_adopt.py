"""`ftrun adopt`: a job is taken over when it does this experiment's work, and refused in words when not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from runner.conftest import RUN, Inside
from support.engine_process import Engine, finish
from support.faulty_proxy import FaultyServer

TRAIN = (*RUN, "--yes", "--until", "train")
CONFIG = "configs/toy.yaml"


def lose(project: Path) -> None:
    """Lose the state of the target `paid`."""
    shutil.rmtree(project / "runs/toy/paid")


def test_a_job_of_the_same_work_is_taken_over(inside: Inside, provider: FaultyServer, project: Path) -> None:
    """Adopting needs neither the state nor a listed job; the run after it creates nothing."""
    job_id = inside.json(*TRAIN)["job_id"]
    lose(project)
    document = inside.json("adopt", CONFIG, job_id, "--target", "paid")
    assert document["job_id"] == job_id
    assert inside.json(*TRAIN)["job_id"] == job_id
    assert provider.faults.jobs_created == 1


def test_an_unclear_call_is_settled_by_adopting(
    inside: Inside, provider: FaultyServer, engine: Engine
) -> None:
    """The first way out of an unclear call works as it is written there."""
    provider.faults.create, provider.faults.hidden_lists = "lose", 1000
    assert inside.json(*TRAIN, code=4)["error"]["code"] == "unclear"
    with engine.client() as client:
        job_id = next(iter(client.fine_tuning.jobs.list(limit=1))).id
    inside.json("adopt", CONFIG, job_id, "--target", "paid")
    assert inside.state()["intents"] == {}
    assert inside.json(*TRAIN)["job_id"] == job_id
    assert provider.faults.jobs_created == 1


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.hyperparameters.n_epochs=3", "another configuration"),
        ("data.sources=[{path: data/other.csv}]", "another configuration"),
    ],
)
def test_a_job_that_names_another_spec_is_refused(
    inside: Inside, provider: FaultyServer, project: Path, override: str, words: str
) -> None:
    """A job whose metadata carry another spec key is somebody else's: exit 4."""
    rows = (project / "configs/data/toy.csv").read_text()
    (project / "configs/data/other.csv").write_text(rows + "もう一つは？,はい。\n")
    job_id = inside.json(*TRAIN)["job_id"]
    document = inside.json("adopt", CONFIG, job_id, "--target", "paid", "--set", override, code=4)
    assert words in document["error"]["message"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.hyperparameters.n_epochs=3", "n_epochs 2 instead of 3"),
        ("train.suffix=other", "has the suffix"),
        ("data.sources=[{path: data/other.csv}]", "other train data"),
        ("targets.paid.model=gpt-4.1-mini", "tunes rehearsal"),
    ],
)
def test_without_metadata_everything_is_compared(
    inside: Inside, provider: FaultyServer, project: Path, override: str, words: str
) -> None:
    """Model, hyperparameters, suffix and the bytes of the files must be those of this experiment."""
    provider.faults.strip_metadata = True
    rows = (project / "configs/data/toy.csv").read_text()
    (project / "configs/data/other.csv").write_text(rows + "もう一つは？,はい。\n")
    job_id = inside.json(*TRAIN)["job_id"]
    lose(project)
    document = inside.json("adopt", CONFIG, job_id, "--target", "paid", "--set", override, code=4)
    assert words in document["error"]["message"]
    assert document["error"]["code"] == "not_this_job"


def test_a_job_that_is_not_there_is_a_usage_error(inside: Inside, provider: FaultyServer) -> None:
    """An id that this account has not is exit 2."""
    assert (
        inside.json("adopt", CONFIG, "ftjob-no", "--target", "paid", code=2)["error"]["code"] == "no_such_job"
    )


def test_files_that_are_gone_need_a_word(
    inside: Inside, provider: FaultyServer, project: Path, engine: Engine
) -> None:
    """Where the target has the job's files no more, only --unverified takes it."""
    document = inside.json(*TRAIN)
    with engine.client() as client:
        finish(client, document["job_id"])
        client.files.delete(document["training_file"])
    lose(project)
    words = ("adopt", CONFIG, document["job_id"], "--target", "paid")
    refused = inside.json(*words, code=4)
    assert "--unverified" in refused["error"]["hint"]
    assert inside.json(*words, "--unverified")["job_id"] == document["job_id"]


def test_one_of_two_twins_is_kept_by_adopting_it(
    inside: Inside, provider: FaultyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """After duplicates were found, adopting either ends it, and the other is named if it still runs."""
    provider.faults.twin = True
    inside.json(*TRAIN, code=4)
    other = next(iter(inside.state()["jobs"].values()))["duplicates"][0]
    assert inside.json("adopt", CONFIG, other, "--target", "paid")["job_id"] == other
    assert inside.json(*TRAIN)["job_id"] == other
    assert provider.faults.jobs_created == 1
