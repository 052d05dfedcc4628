"""What people and other programs do to states, files and commands must not pay twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.conftest import CREATE, DETACHED, FOREVER, WORDS, Runs, finished, make_project
from support.provider import Call, Fault, Provider


def change(place: Path, old: str, new: str) -> None:
    """Change the experiment file."""
    text = (place / "toy.yaml").read_text(encoding="utf-8")
    assert old in text
    (place / "toy.yaml").write_text(text.replace(old, new), encoding="utf-8")


def test_a_renamed_experiment_takes_files_and_job_of_the_old_name(
    runs: Runs, provider: Provider, place: Path
) -> None:
    """Even where metadata are stripped: the same bytes are the same upload, so the same work is known."""
    provider.strip_metadata = True
    assert runs(place).wait() == 0
    change(place, "name: toy", "name: other")
    assert runs(place).wait() == 0
    assert (len(provider.jobs), len(provider.files)) == (1, 2)


def test_a_state_deleted_after_an_unclear_create_is_not_taken_for_none(
    runs: Runs, provider: Provider, place: Path
) -> None:
    """The backup knows of the create; repair brings it back, and the job that shows up late is taken."""
    provider.hidden, provider.plan = 1000.0, lambda call: "lose" if call.name == CREATE else ""
    assert runs(place).error_code == "unclear"
    provider.plan = lambda call: ""
    (place / "runs/toy/paid/state.json").unlink()
    again = runs(place)
    assert (again.wait(), again.error_code) == (4, "state_missing")
    assert runs(place, "state", "repair", "toy.yaml", "--target", "paid", "--json").wait() == 0
    assert runs(place).error_code == "unclear"
    provider.hidden = 0.0
    finished(provider, place, runs(place))
    assert len(provider.jobs) == 1


def test_force_in_a_loop_pays_for_one_more_job(runs: Runs, provider: Provider, place: Path) -> None:
    """While the job that --force asked for is at work, the same command refuses."""
    provider.looks = FOREVER
    forced = (*DETACHED, "--force", "train")
    assert [runs(place, *words).wait() for words in (DETACHED, forced, forced, forced)] == [75, 75, 4, 4]
    assert len(provider.jobs) == 2
    provider.jobs["ftjob-2"]["status"] = "failed"
    assert runs(place, *forced).wait() == 75
    assert len(provider.jobs) == 3


@pytest.mark.parametrize("results", [None, b"\x00\xff\xfe", b"<html>gone</html>"])
def test_a_paid_model_without_its_result_file_is_used(
    runs: Runs, provider: Provider, place: Path, results: bytes | None
) -> None:
    """Result files are deleted after a while, or are none: the curve is missing, the answers are not."""
    provider.results = results
    run = runs(place)
    finished(provider, place, run)
    assert "there is no training curve" in run.stderr
    finished(provider, place, runs(place))


def test_a_folder_for_locks_is_the_same_for_every_clone(runs: Runs, provider: Provider, place: Path) -> None:
    """A relative FTRUN_LOCKS would keep no two clones apart: it is refused."""
    run = runs(place, env={"FTRUN_LOCKS": "locks"})
    assert (run.wait(), run.error_code, len(provider.jobs)) == (4, "no_lock_folder", 0)


def test_another_accounts_key_is_told_from_a_lost_job(runs: Runs, provider: Provider, place: Path) -> None:
    """A job that this key does not know stops the run with both explanations; none is created."""
    provider.looks = FOREVER
    assert runs(place, *DETACHED).wait() == 75
    provider.jobs.clear()
    run = runs(place)
    assert (run.wait(), run.error_code) == (4, "unknown_job")
    assert "account" in run.document["error"]["message"] and not provider.jobs


def test_canceled_in_the_other_spelling_is_an_end(runs: Runs, provider: Provider, place: Path) -> None:
    """Some servers write `canceled`: that job is not waited for."""
    provider.looks = FOREVER
    assert runs(place, *DETACHED).wait() == 75
    provider.jobs["ftjob-1"]["status"] = "canceled"
    run = runs(place)
    assert (run.wait(), run.error_code) == (1, "job_cancelled")


@pytest.mark.parametrize("command", ["run", "wait"])
def test_a_failure_names_commands_as_they_are_typed(
    runs: Runs, provider: Provider, place: Path, command: str
) -> None:
    """Which experiment and target a hint means stands in it."""
    provider.looks = FOREVER
    assert runs(place, *DETACHED).wait() == 75
    provider.jobs["ftjob-1"].update(status="failed", error={"message": "blocked by moderation"})
    run = runs(place, command, "toy.yaml", "--target", "paid", "--json", *(["--yes"] * (command == "run")))
    assert run.wait() == 1
    assert "`ftrun events toy.yaml --target paid`" in run.document["error"]["hint"]


def test_a_paused_job_says_how_it_goes_on(runs: Runs, provider: Provider, place: Path) -> None:
    """Who waits for a paused job is told that it will not end by itself."""
    provider.looks = FOREVER
    assert runs(place, *DETACHED).wait() == 75
    provider.jobs["ftjob-1"]["status"] = "paused"
    run = runs(place, *WORDS, "--max-wait", "0.2")
    assert run.wait() == 75 and "ftrun resume" in run.document["error"]["hint"]


def test_a_file_that_was_deleted_there_is_uploaded_again(runs: Runs, provider: Provider, place: Path) -> None:
    """A further job gets files that exist, not ids from a time before somebody cleaned up."""
    assert runs(place).wait() == 0
    del provider.files["file-1"]
    assert runs(place, *WORDS, "--set", "train.hyperparameters.n_epochs=3").wait() == 0
    assert provider.jobs["ftjob-2"]["training_file"] in provider.files
    assert len(provider.files) == 2


def test_another_spelling_of_a_number_asks_and_trains_nothing(
    runs: Runs, provider: Provider, place: Path
) -> None:
    """0.0 is 0 and 256.0 is 256: neither a job nor an answer is paid for again."""
    assert runs(place).wait() == 0
    answers = provider.answers
    spelled = ("eval.sampling.temperature=0.0", "eval.sampling.max_tokens=256.0", "train.seed=7.0")
    assert runs(place, *WORDS, *(word for one in spelled for word in ("--set", one))).wait() == 0
    assert (len(provider.jobs), provider.answers) == (1, answers)


def test_without_metadata_of_its_own_a_job_is_found_beside_marked_ones(
    runs: Runs, provider: Provider, place: Path
) -> None:
    """Where a target leaves metadata out, marked jobs of earlier days hide no unmarked one."""
    assert runs(place).wait() == 0
    change(place, "api_key_env: PAID_KEY,", "api_key_env: PAID_KEY, capabilities: {metadata: left_out},")
    provider.plan = lambda call: "lose" if call.name == CREATE else ""
    run = runs(place, *WORDS, "--set", "train.seed=8")
    assert run.wait() == 0 and run.document["job_id"] == "ftjob-2"
    assert len(provider.jobs) == 2


def test_without_a_folder_for_locks_nothing_is_sent(runs: Runs, provider: Provider, place: Path) -> None:
    """A container without a home is told how to name one; no lock is left out in silence."""
    run = runs(place, env={"FTRUN_LOCKS": "", "XDG_STATE_HOME": "/proc/none"})
    assert (run.wait(), run.error_code) == (4, "no_lock_folder")
    assert "FTRUN_LOCKS" in run.document["error"]["hint"] and not provider.jobs


def test_a_months_budget_is_one_for_all_machines_of_a_shared_state(
    runs: Runs, provider: Provider, tmp_path: Path
) -> None:
    """What one machine has spent, the other one knows before it pays: the ledger lies beside the state."""
    places = [make_project(tmp_path / name, provider) for name in ("here", "there")]
    for place in places:
        change(place, "version: 1\n", f"version: 1\nstate: file://{tmp_path}/shared\n")
        change(place, "version: 1\n", "version: 1\nbudget: {usd_per_month: 0.015}\n")
    assert runs(places[0]).wait() == 0
    told = [runs(place, "ledger", "toy.yaml", "--json").document for place in places]
    assert told[0]["usd"] == told[1]["usd"] > 0
    run = runs(places[1], *WORDS, "--set", "train.hyperparameters.n_epochs=3")
    assert (run.wait(), run.error_code) == (4, "over_month"), run.stdout
    assert len(provider.jobs) == 1


def test_a_months_budget_is_one_for_all_targets_of_a_shared_state(
    runs: Runs, provider: Provider, tmp_path: Path
) -> None:
    """What another machine has spent on another target of the experiment counts as well."""
    places = [make_project(tmp_path / name, provider) for name in ("here", "there")]
    for place in places:
        text = (place / "toy.yaml").read_text(encoding="utf-8")
        target = text[text.index("  paid: {") : text.index("data:\n")]
        change(place, "data:\n  sources", target.replace("paid:", "other:") + "data:\n  sources")
        change(place, "version: 1\n", f"version: 1\nstate: file://{tmp_path}/shared\n")
        change(place, "version: 1\n", "version: 1\nbudget: {usd_per_month: 0.015}\n")
    assert runs(places[0]).wait() == 0
    words = tuple("other" if word == "paid" else word for word in WORDS)
    run = runs(places[1], *words, "--set", "train.hyperparameters.n_epochs=3")
    assert (run.wait(), run.error_code) == (4, "over_month"), run.stdout
    assert len(provider.jobs) == 1


def test_another_experiments_model_is_found_in_its_shared_state(
    runs: Runs, provider: Provider, place: Path, tmp_path: Path
) -> None:
    """`continue_from` an experiment whose state lies elsewhere takes the model from there."""
    change(place, "version: 1\n", f"version: 1\nstate: file://{tmp_path}/shared\n")
    assert runs(place).wait() == 0
    text = (place / "toy.yaml").read_text(encoding="utf-8").replace("name: toy", "name: next")
    (place / "next.yaml").write_text(
        text.replace("train: {", "train: {continue_from: toy.yaml, "), encoding="utf-8"
    )
    assert runs(place, "run", "next.yaml", "--target", "paid", "--yes", "--json").wait() == 0
    assert provider.jobs["ftjob-2"]["model"] == provider.jobs["ftjob-1"]["fine_tuned_model"]


def test_a_failed_further_attempt_takes_no_model_away(runs: Runs, provider: Provider, place: Path) -> None:
    """Who continues from an experiment goes on with its last model after a newer attempt has failed."""
    assert runs(place).wait() == 0
    text = (place / "toy.yaml").read_text(encoding="utf-8").replace("name: toy", "name: next")
    (place / "next.yaml").write_text(text.replace("train: {", "train: {continue_from: toy.yaml, "))
    after = ("run", "next.yaml", "--target", "paid", "--yes", "--json")
    assert runs(place, *after).wait() == 0
    provider.looks = FOREVER
    assert runs(place, *DETACHED, "--force", "train").wait() == 75
    provider.jobs["ftjob-3"]["status"] = "failed"
    assert runs(place).wait() == 1
    run = runs(place, *after)
    assert (run.wait(), run.document["job_id"], len(provider.jobs)) == (0, "ftjob-2", 3), run.stdout


def test_what_a_shared_state_owns_is_said_so(
    runs: Runs, provider: Provider, place: Path, tmp_path: Path
) -> None:
    """`ls` and `rm` know the files and models of a state that lies elsewhere."""
    change(place, "version: 1\n", f"version: 1\nstate: file://{tmp_path}/shared\n")
    assert runs(place).wait() == 0
    listed = runs(place, "ls", "files", "toy.yaml", "--target", "paid", "--json")
    listed.wait()
    assert {file["owner"] for file in listed.document["files"]} == {"toy/paid"}


def test_an_earlier_job_in_the_answer_is_not_taken_for_the_new_one(
    runs: Runs, provider: Provider, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that answers a create from its cache leaves it unclear whether there is a new job."""
    assert runs(place).wait() == 0
    first = provider.jobs["ftjob-1"]
    monkeypatch.setattr(Provider, "_new_job", lambda self, request: first)
    run = runs(place, *WORDS, "--set", "train.seed=8")
    assert (run.wait(), run.error_code) == (4, "unclear")
    assert "ftjob-1" in run.document["error"]["message"]


def test_commands_mean_the_job_of_the_present_configuration(
    runs: Runs, provider: Provider, place: Path
) -> None:
    """A run that died right after creating a job leaves no command that cancels the one before it."""
    provider.looks = FOREVER
    assert runs(place, *DETACHED).wait() == 75
    made: list[str] = []

    def plan(call: Call) -> Fault:
        made.extend([call.name] if call.name == CREATE else [])
        return "kill-before" if made and call.name == "GET /fine_tuning/jobs" else ""

    provider.plan = plan
    other = ("--set", "train.seed=9")
    run = runs.start(place, *DETACHED, *other)
    provider.victim = run.pid
    run.wait()
    provider.plan = lambda call: ""
    about = ("toy.yaml", "--target", "paid", *other, "--json")
    assert runs(place, "status", *about).document["job_id"] == "ftjob-2"
    assert runs(place, "cancel", *about, "--yes").document["job_id"] == "ftjob-2"
    assert [job["status"] for job in provider.jobs.values()] == ["validating_files", "cancelled"]


def test_a_recorded_job_that_is_gone_can_be_replaced(runs: Runs, provider: Provider, place: Path) -> None:
    """Where the target does not know the recorded job any more, another one of this work may be adopted."""
    provider.looks = FOREVER
    assert runs(place, *DETACHED).wait() == 75
    provider.jobs["ftjob-9"] = {**provider.jobs.pop("ftjob-1"), "id": "ftjob-9"}
    provider.born["ftjob-9"] = 0.0
    assert runs(place).error_code == "unknown_job"
    adopted = runs(place, "adopt", "toy.yaml", "ftjob-9", "--target", "paid", "--json")
    assert adopted.document["job_id"] == "ftjob-9", adopted.stdout
