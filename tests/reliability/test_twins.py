"""Two jobs of one configuration: found, named, and chosen between once."""

from __future__ import annotations

from pathlib import Path

from reliability.conftest import CREATE, DETACHED, FOREVER, WORDS, Runs, make_project
from support.provider import Call, Fault, Provider


def test_a_job_that_was_adopted_again_keeps_its_cost_and_answers(
    runs: Runs, provider: Provider, place: Path
) -> None:
    """After the state was lost, and the ledger not, history tells the job's cost; nobody is asked again."""
    assert runs(place).wait() == 0
    for name in ("state.json", "state.json.backup"):
        (place / "runs/toy/paid" / name).unlink()
    assert runs(place).wait() == 0
    (model,) = runs(place, "history", "toy.yaml", "--target", "paid", "--json").document["models"]
    assert (model["job_id"], model["usd"], model["current"]) == ("ftjob-1", 0.01, True)
    assert (len(provider.jobs), provider.answers) == (1, 4)


def test_a_twin_is_found_by_whoever_comes_back_later(runs: Runs, provider: Provider, tmp_path: Path) -> None:
    """Two machines that only create (--detach) learn of both jobs when they come back for the end."""
    provider.hidden, provider.looks = 1000.0, 1
    places = [make_project(tmp_path / name, provider, settle="60s") for name in ("here", "there")]
    for place in places:
        assert runs(place, *DETACHED, env={"FTRUN_LOCKS": str(place / "locks")}).wait() == 75
    assert len(provider.jobs) == 2
    provider.hidden = 0.0
    for place in places:
        run = runs(place)
        assert (run.wait(), run.error_code) == (4, "duplicates")
        assert all(job in run.document["error"]["message"] for job in provider.jobs)


def test_a_twin_of_an_unclear_create_is_found_while_waiting(
    runs: Runs, provider: Provider, place: Path
) -> None:
    """The job found after a lost answer may be another machine's: ours, which shows up late, is seen."""
    provider.hidden, provider.looks = 1000.0, 3
    provider.plan = lambda call: "lose" if call.name == CREATE else ""
    assert runs(place).error_code == "unclear"
    provider.jobs["ftjob-2"] = {**provider.jobs["ftjob-1"], "id": "ftjob-2"}
    provider.born["ftjob-2"] = -10_000.0

    def plan(call: Call) -> Fault:
        if call.name == "GET /fine_tuning/jobs/ID":
            provider.hidden = 0.0
        return ""

    provider.plan = plan
    run = runs(place)
    assert (run.wait(), run.error_code) == (4, "duplicates"), run.stdout


def test_who_has_chosen_one_of_two_is_not_asked_again(runs: Runs, provider: Provider, place: Path) -> None:
    """After an unclear create that shows two jobs, `adopt` of one of them settles it."""
    provider.plan = lambda call: "lose" if call.name == CREATE else ""
    provider.hidden = 1000.0
    assert runs(place).error_code == "unclear"
    provider.jobs["ftjob-2"] = {**provider.jobs["ftjob-1"], "id": "ftjob-2"}
    provider.born["ftjob-2"] = provider.hidden = 0.0
    assert runs(place).error_code == "duplicates"
    assert runs(place, "adopt", "toy.yaml", "ftjob-2", "--target", "paid", "--json").wait() == 0
    run = runs(place)
    assert (run.wait(), run.document["job_id"]) == (0, "ftjob-2"), run.stdout


def test_a_twin_that_is_not_there_is_none(runs: Runs, provider: Provider, place: Path) -> None:
    """Of two jobs one that the target denies leaves the other to go on with, and nothing to be asked."""
    provider.plan = lambda call: "lose" if call.name == CREATE else ""
    provider.hidden = 1000.0
    assert runs(place).error_code == "unclear"
    provider.plan, provider.looks = lambda call: "", FOREVER
    provider.jobs["ftjob-2"] = {**provider.jobs["ftjob-1"], "id": "ftjob-2"}
    provider.born["ftjob-2"] = -10_000.0
    assert runs(place, *DETACHED).document["job_id"] == "ftjob-2"
    provider.hidden = 0.0
    assert runs(place).error_code == "duplicates"
    del provider.jobs["ftjob-2"]
    provider.looks = 1
    run = runs(place)
    assert (run.wait(), run.document["job_id"]) == (0, "ftjob-1"), run.stdout


def test_an_adopted_twin_is_the_job_from_then_on(runs: Runs, provider: Provider, tmp_path: Path) -> None:
    """After `adopt` of the other of two jobs every command and result names that one."""
    provider.hidden, provider.looks = 1000.0, 1
    places = [make_project(tmp_path / name, provider, settle="60s") for name in ("here", "there")]
    for place in places:
        assert runs(place, *DETACHED, env={"FTRUN_LOCKS": str(place / "locks")}).wait() == 75
    provider.hidden = 0.0
    about = ("--target", "paid", "--json")
    assert runs(places[0]).error_code == "duplicates"
    assert runs(places[0], "adopt", "toy.yaml", "ftjob-2", *about).wait() == 0
    for words in (("status", "toy.yaml", *about), WORDS, ("status", "toy.yaml", *about)):
        assert runs(places[0], *words).document["job_id"] == "ftjob-2"
    assert runs(places[0]).document["fine_tuned_model"].endswith("ftjob-2")


def test_of_two_twins_the_one_that_is_left_is_taken(runs: Runs, provider: Provider, tmp_path: Path) -> None:
    """Whose job was ended as a twin is told of the other one, not to cancel it, nor to pay for a third."""
    provider.hidden, provider.looks = 1000.0, 1
    places = [make_project(tmp_path / name, provider, settle="60s") for name in ("here", "there")]
    for place in places:
        assert runs(place, *DETACHED, env={"FTRUN_LOCKS": str(place / "locks")}).wait() == 75
    provider.hidden, provider.jobs["ftjob-2"]["status"] = 0.0, "cancelled"
    run = runs(places[1])
    assert (run.wait(), run.error_code) == (4, "duplicates")
    said = run.document["error"]
    assert "ftjob-2 cancelled" in said["message"] and "adopts ftjob-1" in said["hint"]
    run = runs(places[1])
    assert (run.wait(), run.document["job_id"], len(provider.jobs)) == (0, "ftjob-1", 2)
