"""ls, rm and gc: who owns what at a target, and nothing deleted unasked."""

from __future__ import annotations

import shutil

import pytest

from ftrun.state import Intent, StateStore
from support.paid_project import Paid


@pytest.fixture
def done(paid: Paid) -> Paid:
    """Return a project that was run, at a provider that others use too."""
    paid.provider.add_file("somebody-elses.jsonl")
    paid.json("run", paid.config, "--yes")
    return paid


def test_ls_says_whose_things_are(done: Paid) -> None:
    """Files, jobs and models name the experiment and target that know them; others' are nobody's here."""
    files = done.json("ls", "files", done.config)["files"]
    assert [(one["owner"], one["made_by"]) for one in files] == [("toy/paid", "toy"), (None, None)]
    (job,) = done.json("ls", "jobs", done.config)["jobs"]
    assert (job["owner"], job["fine_tuned_model"]) == ("toy/paid", "ft:m:ftjob-1")
    models = {one["id"]: one for one in done.json("ls", "models", done.config)["models"]}
    assert models["ft:m:ftjob-1"]["owner"] == "toy/paid"
    assert models["m"]["owner"] is None and not models["m"]["tuned"]


def test_ls_without_config_finds_the_one_target_here(done: Paid) -> None:
    """In a folder whose experiments share a target CONFIG may be left out; with two it is asked for."""
    assert len(done.json("ls", "files")["files"]) == 2
    shutil.copy(done.config, done.folder / "zwei.yaml")
    assert len(done.json("ls", "files")["files"]) == 2
    other = done.config.read_text(encoding="utf-8").replace(
        f"{done.server.base_url}", "https://example.org/v1"
    )
    (done.folder / "zwei.yaml").write_text(other, encoding="utf-8")
    assert done.json("ls", "files", code=2)["error"]["code"] == "no_target"


def test_ls_limits_and_says_that_there_is_more(done: Paid) -> None:
    """--limit cuts the list and says so; 0 lists all."""
    for number in range(5):
        done.provider.add_file(f"f{number}")
    some = done.json("ls", "files", done.config, "--limit", "3")
    assert (len(some["files"]), some["more"]) == (3, True)
    assert len(done.json("ls", "files", done.config, "--limit", "0")["files"]) == 7
    assert "--limit 0" in done.run("ls", "files", done.config, "--limit", "3")


def test_ls_of_lost_state_still_knows_the_maker(done: Paid) -> None:
    """Names and metadata say which experiment made a thing when no state does."""
    shutil.rmtree(done.folder / "runs")
    files = done.json("ls", "files", done.config)["files"]
    assert [(one["owner"], one["made_by"]) for one in files] == [(None, "toy"), (None, None)]
    (job,) = done.json("ls", "jobs", done.config)["jobs"]
    assert job["made_by"] is not None


def test_rm_asks_and_says_who_would_miss_it(done: Paid) -> None:
    """With nobody to ask nothing is deleted; --yes deletes."""
    error = done.json("rm", "file-2", done.config, code=4)["error"]
    assert "toy/paid" in error["message"] and "uploads it again" in error["message"]
    assert "file-2" in done.provider.files
    assert done.json("rm", "file-2", done.config, "--yes")["deleted"] == "file-2"
    assert "file-2" not in done.provider.files


def test_rm_of_a_job_offers_its_model(done: Paid) -> None:
    """Jobs stay; the model is what can go, and its price is said."""
    error = done.json("rm", "ftjob-1", done.config, code=4)["error"]
    assert "jobs can't be deleted" in done.error
    assert "ft:m:ftjob-1" in error["message"] and "paying" in error["message"]
    assert done.json("rm", "ftjob-1", done.config, "--yes")["deleted"] == "ft:m:ftjob-1"
    assert done.json("rm", "ftjob-1", done.config, "--yes", code=2)["error"]["code"] == "job_stays"


def test_rm_of_a_running_job_names_cancel(done: Paid) -> None:
    """A job that runs is cancelled, not deleted."""
    job = done.provider.add_job(model="m", training_file="f")
    done.provider.looks = 1000
    error = done.json("rm", job, done.config, "--yes", code=2)["error"]
    assert "ftrun cancel" in error["hint"]


def test_rm_takes_no_file_away_from_a_job_at_work(done: Paid) -> None:
    """A job that was paid for may still read its file."""
    job = done.provider.add_job(model="m", training_file="file-2")
    done.provider.looks = 1000
    error = done.json("rm", "file-2", done.config, "--yes", code=4)["error"]
    assert error["code"] == "in_use" and job in error["message"] and "file-2" in done.provider.files


def test_rm_of_something_unknown(done: Paid) -> None:
    """What is not there is exit 2, with where to look."""
    assert done.json("rm", "nothing", done.config, "--yes", code=2)["error"]["code"] == "not_found"


def test_gc_takes_only_what_this_project_made_and_nothing_uses(done: Paid) -> None:
    """Old uploads of this project go; others' files, used ones and those of running jobs stay."""
    sha = "0" * 16
    old = done.provider.add_file(f"toy-train-{sha}.jsonl")
    busy = done.provider.add_file(f"toy-validation-{sha}.jsonl")
    foreign = done.provider.add_file(f"other-train-{sha}.jsonl")
    done.provider.add_job(model="m", training_file=busy)
    done.provider.looks = 1000
    listed = done.json("gc", done.config, "--dry-run")
    assert [one["id"] for one in listed["files"]] == [old]
    assert listed["deleted"] == []
    assert done.json("gc", done.config, code=4)["error"]["code"] == "not_confirmed"
    assert done.json("gc", done.config, "--yes")["deleted"] == [old]
    assert {busy, foreign, "file-1", "file-2"} == set(done.provider.files)


def test_gc_leaves_what_a_run_is_sending(done: Paid) -> None:
    """A file that has arrived, but is not in the state yet, is not deleted."""
    sha = "ab" * 32
    coming = done.provider.add_file(f"toy-train-{sha[:16]}.jsonl")
    store = StateStore(done.folder / "runs/toy/paid")
    state = store.load()
    assert state is not None
    state.upload_intents[sha] = Intent(id="i", phase="sending", at=0.0)
    store.save(state)
    assert done.json("gc", done.config, "--yes")["deleted"] == []
    assert coming in done.provider.files


def test_gc_deletes_nothing_while_a_state_is_damaged(done: Paid) -> None:
    """What a state that can't be read owns is not known: nothing is deleted."""
    old = done.provider.add_file(f"toy-train-{'0' * 16}.jsonl")
    other = done.folder / "runs/toy/elsewhere"
    other.mkdir()
    (other / "state.json").write_text("{")
    document = done.json("gc", done.config, "--yes")
    assert document["deleted"] == [] and document["notes"]
    assert old in done.provider.files
