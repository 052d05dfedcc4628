"""What one run of a user has asked for, the next one knows, whatever became of the state and the lists."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from ftrun.files import digest
from reliability.conftest import DETACHED, WORDS, Runs, finished, make_project
from reliability.test_hostile_users import change
from reliability.test_open_calls import REPAIR, answers, creates
from support.provider import Call, Fault, Provider

NEVER = 1000.0  # seconds until a list shows what was made


@pytest.fixture
def locks(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a user of whom nothing is known yet."""
    return {"FTRUN_LOCKS": str(tmp_path / "locks")}


@pytest.fixture
def clones(tmp_path: Path, provider: Provider) -> list[Path]:
    """Return two clones of a project on one machine."""
    return [make_project(tmp_path / name, provider) for name in ("here", "there")]


def note_of(locks: Mapping[str, str]) -> Path:
    """Return the one note of a job."""
    (note,) = Path(locks["FTRUN_LOCKS"]).glob("job-*.note.json")
    return note


def test_a_state_deleted_after_a_lost_answer_is_no_leave_to_pay_again(
    runs: Runs, provider: Provider, place: Path, locks: dict[str, str]
) -> None:
    """Without state and without a word from the list the call is still open: exit 4, also in the plan."""
    provider.hidden = NEVER
    answers(provider, "lose")
    assert runs(place, env=locks).error_code == "unclear"
    shutil.rmtree(place / "runs")
    plan = runs(place, "plan", "toy.yaml", "--target", "paid", "--json", env=locks).document
    assert [step["action"] for step in plan["steps"] if step["stage"] == "train"] == ["wait"]
    assert [runs(place, env=locks).error_code for _ in range(2)] == ["unclear", "unclear"]
    provider.hidden = 0.0
    finished(provider, place, runs(place, env=locks))
    assert creates(provider) == 1


def test_a_run_killed_while_sending_is_known_to_the_other_clone(
    runs: Runs, provider: Provider, clones: list[Path], locks: dict[str, str]
) -> None:
    """Who died in a create leaves word: the other clone looks and asks, and a person can let it send."""
    here, there = clones
    answers(provider, "kill-before")
    run = runs.start(here, env=locks)
    provider.victim = run.pid
    run.wait()
    assert (runs(there, env=locks).error_code, creates(provider)) == ("unclear", 1)
    finished(provider, there, runs(there, *WORDS, "--confirm-not-created", env=locks))
    provider.hidden = NEVER
    finished(provider, here, runs(here, env=locks))
    assert creates(provider) == 2


def test_a_clone_finds_a_job_that_no_list_shows_yet(
    runs: Runs, provider: Provider, clones: list[Path], locks: dict[str, str]
) -> None:
    """The second clone takes the first one's job and file by their ids, and uploads nothing."""
    provider.hidden = NEVER
    for place in clones:
        assert runs(place, *DETACHED, env=locks).wait() == 75
    finished(provider, clones[1], runs(clones[1], env=locks))
    assert creates(provider) == 1


def test_files_that_no_list_shows_are_not_sent_again(
    runs: Runs, provider: Provider, clones: list[Path], locks: dict[str, str]
) -> None:
    """What one clone has uploaded the other finds by its id, until the target has it no more."""
    hidden: dict[str, dict[str, object]] = {}
    for place in clones:
        provider.files |= hidden
        assert runs(place, *WORDS, "--until", "upload", env=locks).wait() == 0
        assert len(provider.files) == 2
        hidden, provider.listing = dict(provider.files), False
    provider.files.clear()
    shutil.rmtree(clones[1] / "runs")
    assert runs(clones[1], *WORDS, "--until", "upload", env=locks).wait() == 0
    assert len(provider.files) == 2


def test_a_refused_create_leaves_no_word(
    runs: Runs, provider: Provider, clones: list[Path], locks: dict[str, str]
) -> None:
    """A call that certainly made nothing keeps nobody from sending."""
    answers(provider, "429")
    assert runs(clones[0], env=locks).wait() == 1
    assert not list(Path(locks["FTRUN_LOCKS"]).glob("job-*.note.json"))
    finished(provider, clones[1], runs(clones[1], env=locks))


def test_a_noted_job_that_the_target_does_not_show_yet_is_waited_for(
    runs: Runs, provider: Provider, tmp_path: Path, locks: dict[str, str]
) -> None:
    """Within the settle window a job that is denied may still show, even by its id."""
    place = make_project(tmp_path / "slow", provider, settle="60s")
    assert runs(place, *DETACHED, env=locks).wait() == 75
    shutil.rmtree(place / "runs")
    made, provider.jobs = provider.jobs, {}
    looked = threading.Event()

    def plan(call: Call) -> Fault:
        if call.name == "GET /fine_tuning/jobs/ID":
            looked.set()
        return ""

    provider.plan = plan
    run = runs.start(place, env=locks)
    assert looked.wait(60)
    provider.jobs = made
    assert run.wait(60) == 0
    assert creates(provider) == 1


def test_a_noted_job_that_is_gone_is_made_anew(
    runs: Runs, provider: Provider, place: Path, locks: dict[str, str]
) -> None:
    """After the settle window what neither list nor id shows is not there, as on a server set up anew."""
    assert runs(place, *DETACHED, env=locks).wait() == 75
    shutil.rmtree(place / "runs")
    provider.jobs.clear()
    assert runs(place, env=locks).wait() == 0
    assert creates(provider) == 2


def test_another_job_or_file_under_a_noted_id_is_not_taken(
    runs: Runs, provider: Provider, clones: list[Path], locks: dict[str, str]
) -> None:
    """A server that was set up anew counts from one again: what a note names is then something else."""
    here, there = clones
    finished(provider, here, runs(here, env=locks))
    (job,) = provider.jobs.values()
    job["metadata"] = {"ftrun_spec": "another"}
    (train, *others) = sorted(provider.files)
    provider.listing = False
    provider.files[train] = {**provider.files[train], "filename": "another.jsonl", "bytes": 7}
    run = runs(there, env=locks)
    assert (run.wait(), creates(provider)) == (0, 2)
    assert train not in (run.document["training_file"], *others)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"version": 2, "folder": "", "made": null}'])
def test_a_damaged_note_stops_the_run(
    runs: Runs, provider: Provider, clones: list[Path], locks: dict[str, str], damage: bytes
) -> None:
    """What says whether somebody has asked for this job is never taken for silence."""
    provider.hidden = NEVER
    answers(provider, "lose")
    assert runs(clones[0], env=locks).error_code == "unclear"
    note_of(locks).write_bytes(damage)
    run = runs(clones[1], env=locks)
    assert (run.wait(), run.error_code, creates(provider)) == (4, "note_damaged", 1)
    assert str(note_of(locks)) in run.document["error"]["message"]


def test_another_configuration_is_kept_from_nothing(
    runs: Runs, provider: Provider, place: Path, locks: dict[str, str]
) -> None:
    """A note is of one spec key: what differs is created."""
    provider.hidden = NEVER
    answers(provider, "lose")
    assert runs(place, env=locks).error_code == "unclear"
    assert runs(place, *DETACHED, "--set", "train.seed=9", env=locks).wait() == 75
    assert creates(provider) == 2


@pytest.mark.parametrize(
    ("spelled", "env"),
    [
        ("http://localhost:PORT/v1", {}),
        ("HTTP://LocalHost:PORT//v1/", {"OPENAI_PROJECT_ID": "proj-1"}),
        ("http://127.0.0.1:PORT/v1/", {"OPENAI_ORG_ID": "org-1"}),
    ],
)
def test_another_spelling_of_the_server_is_the_same_server(
    runs: Runs,
    provider: Provider,
    clones: list[Path],
    locks: dict[str, str],
    spelled: str,
    env: dict[str, str],
) -> None:
    """Neither how an address is written nor a variable of one shell hides a job that no list shows yet."""
    port = provider.base_url.rsplit(":", 1)[1].removesuffix("/v1")
    change(clones[1], provider.base_url, spelled.replace("PORT", port))
    provider.hidden, provider.listing = NEVER, False
    for place, more in zip(clones, ({}, env), strict=True):
        assert runs(place, *DETACHED, env={**locks, **more}).wait() == 75
    assert (creates(provider), len(provider.files)) == (1, 2)


def test_a_state_follows_its_server_to_another_spelling(
    runs: Runs, provider: Provider, place: Path, locks: dict[str, str]
) -> None:
    """The job goes on under an address that is written otherwise; nothing is another account's."""
    assert runs(place, *DETACHED, env=locks).wait() == 75
    change(place, "127.0.0.1", "localhost")
    finished(provider, place, runs(place, env=locks))
    assert creates(provider) == 1


def test_notes_of_an_earlier_version_are_found(
    runs: Runs, provider: Provider, place: Path, locks: dict[str, str]
) -> None:
    """An upgrade forgets no open call, and what became of it is known under today's name alone."""
    provider.hidden = NEVER
    answers(provider, "lose")
    assert runs(place, env=locks).error_code == "unclear"
    state = json.loads((place / "runs/toy/paid/state.json").read_text(encoding="utf-8"))
    (key,) = state["intents"]
    now = note_of(locks)
    before = now.with_name(f"job-{digest({'identity': state['identity'], 'spec': key})[:32]}.note.json")
    now.rename(before)
    shutil.rmtree(place / "runs")
    assert (runs(place, env=locks).error_code, creates(provider)) == ("unclear", 1)
    provider.hidden = 0.0
    finished(provider, place, runs(place, env=locks))
    assert (creates(provider), note_of(locks)) == (1, now)


@pytest.mark.parametrize("left", ["an earlier state", "no state"])
def test_what_the_backup_knows_of_a_job_is_not_forgotten(
    runs: Runs, provider: Provider, place: Path, tmp_path: Path, left: str
) -> None:
    """A state from before the job, or none, in another home and with late lists: the backup has the job."""
    state = place / "runs/toy/paid/state.json"
    assert runs(place, *WORDS, "--until", "upload").wait() == 0
    earlier = state.read_bytes()
    assert runs(place).wait() == 0
    provider.hidden, elsewhere = NEVER, {"FTRUN_LOCKS": str(tmp_path / "another home")}
    if left == "no state":
        state.unlink()
    else:
        state.write_bytes(earlier)
        run = runs(place, env=elsewhere)
        assert (run.wait(), run.error_code) == (4, "state_older")
        assert "ftjob-1" in run.document["error"]["message"]
        assert runs(place, *REPAIR, env=elsewhere).wait() == 0
    finished(provider, place, runs(place, env=elsewhere))
    assert creates(provider) == 1


def test_two_spellings_of_a_server_share_a_lock(
    runs: Runs, provider: Provider, clones: list[Path], locks: dict[str, str]
) -> None:
    """While one clone creates the job, another one that spells the server otherwise is kept out."""
    here, there = clones
    change(there, "127.0.0.1", "localhost")
    answers(provider, "hold")
    first = runs.start(here, *DETACHED, env=locks)
    assert provider.held.wait(60)
    second = runs(there, *DETACHED, env={**locks, "OPENAI_ORG_ID": "org-1"})
    provider.release.set()
    assert (second.wait(), second.error_code, first.wait(60)) == (4, "locked", 75)
    assert creates(provider) == 1
