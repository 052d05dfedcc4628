"""What a server names is compared before it is used: another job or file, and ours in other words."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from email.message import Message
from typing import Any

import pytest

from support.paid_project import Paid
from support.scripted_server import Answer, Asked, listed

THEIRS: dict[str, Any] = {"model": "m", "training_file": "file-99", "metadata": None, "suffix": "theirs"}
LISTS = "/fine_tuning/jobs"
RUN = ("run", "toy.yaml", "--yes")


def hide_lists(paid: Paid, told: Mapping[str, Any] | None = None) -> None:
    """Make lists omit the job, and report the job with the values in `told`."""

    def hook(asked: Asked) -> Answer | None:
        if (asked.method, asked.path) == ("GET", LISTS):
            return listed([])
        job = paid.provider.jobs.get(asked.path.removeprefix(f"{LISTS}/"))
        if job is not None:
            job.update(told or {})
        return None

    paid.provider.hook = hook


def answer_creates(paid: Paid, told: Mapping[str, Any], *, listing: bool = True) -> None:
    """Let a create make its job and the answer name the job `told`; without `listing` lists are empty."""

    def hook(asked: Asked) -> Answer | None:
        if asked.path != LISTS or (asked.method == "GET" and listing):
            return None
        if asked.method == "GET":
            return listed([])
        paid.provider.hook = lambda asked: None
        made = paid.provider(asked).body
        paid.provider.hook = hook
        return Answer({**made, "id": "ftjob-77", **told})

    paid.provider.hook = hook


def lose_state(paid: Paid) -> None:
    """Delete the folder `runs/`, as in a fresh clone."""
    shutil.rmtree(paid.folder / "runs")


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("ft:m:earlier", {}),
        ("ft:m:earlier", {"metadata": None}),
        (None, {"model": "openai/M", "metadata": None}),
        (None, {"model": "something-internal"}),
        (None, {"model": {"id": "m"}, "training_file": {"id": "file-1"}, "metadata": None}),
    ],
)
def test_a_noted_job_is_compared_with_what_was_requested(
    paid: Paid, start: str | None, told: dict[str, Any]
) -> None:
    """Without `runs/` and while lists are late the job is taken by its note, however its model is told."""
    if start is not None:
        paid.add(f"train: {{continue_from: '{start}'}}\n")
        paid.provider.models[start] = {"id": start}
    hide_lists(paid, told)
    paid.provider.looks = 1000
    assert paid.json(*RUN, "--detach", code=75)["job_id"] == "ftjob-1"
    lose_state(paid)
    assert paid.json(*RUN, "--detach", code=75)["job_id"] == "ftjob-1"
    assert len(paid.provider.created) == 1


@pytest.mark.parametrize("validation", [{}, {"validation_file": ""}, {"validation_file": {"id": "file-2"}}])
def test_another_machine_recognises_a_job_that_is_told_with_less(
    paid: Paid, monkeypatch: pytest.MonkeyPatch, validation: dict[str, Any]
) -> None:
    """Without state, notes and metadata a job on our files is ours, though the server omits and rounds."""
    split, rate = "data.split={validation: 2, seed: 1}", "train.hyperparameters.learning_rate_multiplier=0.1"
    words = (*RUN, "--set", split, "--set", rate)
    paid.json(*words)
    hyperparameters = {"n_epochs": 3, "learning_rate_multiplier": 0.10000000149011612}
    told = {"metadata": None, "training_file": {"id": "file-1"}, "hyperparameters": hyperparameters}
    paid.provider.jobs["ftjob-1"].update(told, **validation)
    lose_state(paid)
    monkeypatch.setenv("FTRUN_LOCKS", str(paid.folder / "locks of another machine"))
    assert paid.json(*words)["job_id"] == "ftjob-1"
    assert len(paid.provider.created) == 1


def test_a_noted_job_whose_file_was_uploaded_again_is_still_ours(paid: Paid) -> None:
    """A file that was cleaned away, and has another id now, does not speak against its job."""
    hide_lists(paid, {"metadata": None})
    paid.json(*RUN)
    lose_state(paid)
    file = paid.provider.files.pop("file-1")
    paid.provider.files["file-0"] = {**file, "id": "file-0", "filename": "theirs.jsonl"}
    assert paid.json(*RUN)["job_id"] == "ftjob-1"
    assert len(paid.provider.created) == 1


@pytest.mark.parametrize("told", [{"model": "other"}, {"training_file": "file-99"}])
def test_another_job_under_a_noted_id_is_not_taken(paid: Paid, told: dict[str, Any]) -> None:
    """Where no metadata are told, another model or another file's bytes say that the id was given again."""
    hide_lists(paid)
    paid.json(*RUN)
    lose_state(paid)
    paid.provider.files["file-99"] = {
        **paid.provider.files["file-1"],
        "id": "file-99",
        "filename": "theirs.jsonl",
    }
    paid.provider.jobs["ftjob-1"].update(metadata=None, **told)
    assert paid.json(*RUN)["job_id"] == "ftjob-2"


@pytest.mark.parametrize(
    "told",
    [
        {"metadata": None, "model": "other"},
        {"metadata": None, "training_file": "file-99"},
        {"metadata": None, "validation_file": "file-99"},
        {"metadata": {"ftrun_spec": "another"}},
    ],
)
def test_an_answer_that_names_another_job_is_not_believed(paid: Paid, told: dict[str, Any]) -> None:
    """The job that was made is looked for; the other one is neither taken nor offered for cancelling."""
    paid.provider.add_job(**THEIRS)
    answer_creates(paid, told)
    assert paid.json(*RUN)["job_id"] == "ftjob-2"
    assert "ftjob-77" not in paid.error.replace("answered with ftjob-77", "")
    assert len(paid.provider.created) == 1


def test_a_job_that_an_answer_only_names_is_looked_at(paid: Paid) -> None:
    """An answer of an id alone may name somebody else's job: the job itself says whose it is."""
    theirs = paid.provider.add_job(**THEIRS)

    def hook(asked: Asked) -> Answer | None:
        if (asked.method, asked.path) != ("POST", LISTS):
            return None
        paid.provider.hook = lambda asked: None
        paid.provider(asked)
        return Answer({"id": theirs, "status": "queued"})

    paid.provider.hook = hook
    assert paid.json(*RUN)["job_id"] == "ftjob-2"
    assert len(paid.provider.created) == 1


def test_an_answer_that_names_another_job_is_unclear_while_lists_are_late(paid: Paid) -> None:
    """Nothing is sent again: a person is told what the server named, and the job is taken when it shows."""
    answer_creates(paid, {"metadata": None, "model": "other"}, listing=False)
    error = paid.json(*RUN, code=4)["error"]
    assert error["code"] == "unclear" and "ftjob-77, which tunes other instead of m" in error["message"]
    assert "cancel" not in error["hint"]
    assert paid.json(*RUN, code=4)["error"]["code"] == "unclear"
    paid.provider.hook = lambda asked: None
    assert paid.json(*RUN)["job_id"] == "ftjob-1"
    assert len(paid.provider.created) == 1


@pytest.mark.parametrize(
    "told",
    [
        {"model": "vendor/M"},
        {"training_file": {"id": "file-1"}},
        {"model": None, "training_file": None},
        {"training_file": "files/NAME"},
    ],
)
def test_an_answer_that_tells_our_job_in_other_words_is_taken(paid: Paid, told: dict[str, Any]) -> None:
    """A server without metadata and lists that tells less, or otherwise, has made the job all the same."""
    paid.json(*RUN, "--until", "upload")
    if told.get("training_file") == "files/NAME":
        told = {"training_file": f"files/{paid.provider.files['file-1']['filename']}"}
    answer_creates(paid, {"id": "ftjob-1", "metadata": None, **told}, listing=False)
    assert paid.json(*RUN)["job_id"] == "ftjob-1"


@pytest.mark.parametrize(
    "theirs",
    [
        {"metadata": {"ftrun_spec": "another"}},
        {"metadata": None, "model": "other"},
        {"metadata": None, "training_file": "file-99"},
    ],
)
def test_a_job_that_has_our_jobs_id_by_now_is_left_alone(paid: Paid, theirs: dict[str, Any]) -> None:
    """After a server was set up again a recorded id is another's: nobody waits for it, ends it or takes its
    model, and nothing is paid; `--force train` makes our own.
    """
    paid.provider.looks = 1000
    paid.json(*RUN, "--detach", code=75)
    paid.provider.files["file-99"] = {**paid.provider.files["file-1"], "id": "file-99", "filename": "x.jsonl"}
    job = paid.provider.jobs["ftjob-1"]
    job.update(theirs, status="succeeded", fine_tuned_model="ft:theirs")
    for words in (RUN, ("wait", "toy.yaml"), ("events", "toy.yaml"), ("cancel", "toy.yaml", "--yes")):
        error = paid.json(*words, code=4)["error"]
        assert (error["code"], "ftjob-1" in error["message"]) == ("not_this_job", True)
    assert "job ftjob-1" in paid.run("state", "verify", "toy.yaml", code=1)
    assert paid.json("status", "toy.yaml")["fine_tuned_model"] is None
    job.update(status="running", fine_tuned_model=None)
    for command in (("pause",), ("resume",), ("cancel", "--yes"), ("cancel", "ftjob-1", "--yes")):
        assert paid.json(command[0], "toy.yaml", *command[1:], code=4)["error"]["code"] == "not_this_job"
    assert (job["status"], len(paid.provider.created)) == ("running", 1)
    paid.provider.looks = 1
    assert paid.json(*RUN, "--force", "train")["job_id"] == "ftjob-2"


def test_an_id_that_was_given_twice_is_two_jobs_of_ours(paid: Paid) -> None:
    """After a server was set up again our next job, which has an earlier one's id, is made and waited for."""
    paid.json(*RUN)
    paid.provider.jobs.clear()
    paid.provider.files.clear()
    document = paid.json(*RUN, "--set", "train.suffix=b")
    assert (document["job_id"], document["fine_tuned_model"]) == ("ftjob-1", "ft:m:ftjob-1")
    assert paid.json("wait", "toy.yaml", "--set", "train.suffix=b")["job_status"] == "succeeded"
    assert [body.get("suffix") for body in paid.provider.created] == [None, "b"]


def test_the_way_out_does_not_wait_for_another_ones_job(paid: Paid) -> None:
    """A further attempt whose id is another's by now is not running: `--force train` is not blocked by it."""
    paid.provider.looks = 1
    paid.json(*RUN)
    paid.provider.looks = 1000
    paid.json(*RUN, "--force", "train", "--detach", code=75)
    paid.provider.jobs["ftjob-2"]["metadata"] = {"ftrun_spec": "another"}
    owners = {job["id"]: job["owner"] for job in paid.json("ls", "jobs", "toy.yaml")["jobs"]}
    assert owners == {"ftjob-1": "toy/paid", "ftjob-2": None}
    assert paid.json(*RUN, "--force", "train", "--detach", code=75)["job_id"] == "ftjob-3"


@pytest.mark.parametrize(
    ("theirs", "moved"),
    [
        ({"filename": "theirs.jsonl"}, False),
        ({"filename": "theirs.jsonl"}, True),
        ({"bytes": 9}, False),
        ({"purpose": "assistants"}, False),
    ],
)
def test_a_known_upload_is_compared_before_a_job_is_made_of_it(
    paid: Paid, theirs: dict[str, Any], moved: bool
) -> None:
    """After ids began again a recorded file is another's: ours is found by its content, or uploaded again."""
    paid.json(*RUN, "--until", "upload")
    ours = paid.provider.files["file-1"]
    if moved:
        paid.provider.files["file-7"] = {**ours, "id": "file-7"}
    paid.provider.files["file-1"] = {**ours, **theirs}
    assert paid.json(*RUN)["training_file"] == ("file-7" if moved else "file-2")
    assert paid.provider.created[0]["training_file"] != "file-1"


def test_a_file_is_compared_also_after_an_unclear_create(paid: Paid) -> None:
    """Who says that no job was made gets one of our own file, though its id is another's by now."""
    paid.provider.hook = lambda asked: Answer({}) if (asked.method, asked.path) == ("POST", LISTS) else None
    assert paid.json(*RUN, code=4)["error"]["code"] == "unclear"
    paid.provider.hook = lambda asked: None
    paid.provider.files["file-1"].update(filename="theirs.jsonl")
    assert paid.json(*RUN, code=4)["error"]["code"] == "unclear"
    paid.json(*RUN, "--confirm-not-created")
    assert [body["training_file"] for body in paid.provider.created] == ["file-2"]


def test_a_server_that_names_files_itself_is_not_sent_them_again(paid: Paid) -> None:
    """A known file is compared with what the server called it when it came."""

    def hook(asked: Asked) -> Answer | None:
        for file in paid.provider.files.values():
            file["filename"] = f"upload of {file['id']}"
        return None

    paid.provider.hook = hook
    paid.json(*RUN, "--until", "upload")
    hook(Asked("GET", "", {}, None, Message()))
    assert paid.json(*RUN)["training_file"] == "file-1"
    assert len(paid.provider.files) == 1


def test_an_answer_that_names_another_file_is_not_believed(paid: Paid) -> None:
    """What was uploaded is looked for by its content; the other file goes into no job."""
    paid.provider.add_file("theirs.jsonl", bytes=9)

    def hook(asked: Asked) -> Answer | None:
        if (asked.method, asked.path) != ("POST", "/files"):
            return None
        paid.provider.hook = lambda asked: None
        paid.provider(asked)
        return Answer(paid.provider.files["file-1"])

    paid.provider.hook = hook
    assert paid.json(*RUN)["training_file"] == "file-2"
    assert len(paid.provider.files) == 2


def test_a_job_with_our_key_is_adopted_whatever_its_model_is_called(paid: Paid) -> None:
    """`adopt` asks nothing about a model where the spec key is ours, and a word where there is none."""
    paid.json(*RUN)
    lose_state(paid)
    job = paid.provider.jobs["ftjob-1"]
    job.update(model="internal-7", validation_file="")
    assert paid.json("adopt", "toy.yaml", "ftjob-1")["job_id"] == "ftjob-1"
    lose_state(paid)
    job["metadata"] = None
    error = paid.json("adopt", "toy.yaml", "ftjob-1", code=4)["error"]
    assert "tunes internal-7 instead of m" in error["message"] and "--unverified" in error["hint"]
    assert paid.json("adopt", "toy.yaml", "ftjob-1", "--unverified")["job_id"] == "ftjob-1"
    assert paid.json(*RUN)["fine_tuned_model"] == "ft:m:ftjob-1"
    assert len(paid.provider.created) == 1


def test_cancelling_a_job_that_the_experiment_does_not_know_says_so(paid: Paid) -> None:
    """Before another job of the account is ended the question tells what it is."""
    paid.provider.looks = 1000
    paid.json(*RUN, "--detach", code=75)
    theirs = paid.provider.add_job(**{**THEIRS, "model": "other"})
    message = paid.json("cancel", "toy.yaml", theirs, code=4)["error"]["message"]
    assert "tunes other, unknown to this experiment" in message
