"""Budgets count what comes back: a run stops in the middle, keeps what it has, and resumes there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun
from support.forked import Forked
from support.paid_project import Paid
from support.scripted_server import Answer, Asked, refusal

QUESTIONS = "eval.prompts=[{id: a, user: 一?}, {id: b, user: 二?}, {id: c, user: 三?}, {id: d, user: 四?}]"
LONG = {"prompt_tokens": 10, "completion_tokens": 99_990}  # US$0.1 at US$1 a million


def budget(usd: float) -> tuple[str, ...]:
    """Return the options of a run with four questions and a budget."""
    return ("toy.yaml", "--set", QUESTIONS, "--set", f"budget.usd={usd}")


def answering(paid: Paid, usage: Any, text: str = "はい", trained: int = 100) -> None:
    """Let the server answer with that usage, and its jobs have trained on so many tokens."""

    def hook(asked: Asked) -> Answer | None:
        if asked.path != "/chat/completions":
            return None
        choices = [{"index": 0, "message": {"role": "assistant", "content": text}}]
        return Answer({"id": "c", "choices": choices, "usage": usage})

    paid.provider.hook, paid.provider.trained_tokens = hook, trained


def chats(paid: Paid) -> int:
    """Return how many questions were asked."""
    return paid.server.paths("POST").count("/chat/completions")


def test_answers_longer_than_asked_for_stop_the_run_at_its_budget(paid: Paid) -> None:
    """It stops midway with 4, says what is spent and how to continue; a rerun requests only the rest."""
    answering(paid, LONG)
    stopped = paid.json(*budget(0.15), code=4)
    assert (stopped["error"]["code"], chats(paid)) == ("over_budget", 2)
    assert "2 of 4 answers arrived: US$0.20 is spent" in stopped["error"]["message"]
    assert "Raise `budget.usd`" in stopped["error"]["hint"]
    assert paid.json("ledger", "toy.yaml")["usd"] == pytest.approx(0.2001)
    again = paid.json(*budget(0.15), code=4)
    assert (again["error"]["code"], chats(paid)) == ("over_budget", 2), "it is the same run that continues"
    assert "nothing was sent" in again["error"]["message"]
    done = paid.json(*budget(1))
    assert (done["status"], chats(paid), len(paid.provider.jobs)) == ("done", 4, 1)
    ledger = paid.json("ledger", "toy.yaml")
    assert (ledger["usd"], ledger["estimated"]) == (pytest.approx(0.4001), 0)


def test_a_last_answer_over_the_budget_is_told(paid: Paid) -> None:
    """Nothing is left to stop: the report is written, the exit code is 4, and a rerun has nothing to do."""
    answering(paid, LONG)
    told = paid.json(*budget(0.31), code=4)
    assert (told["error"]["code"], chats(paid)) == ("over_budget", 4)
    assert "US$0.40 is spent, more than `budget.usd` of US$0.31" in told["error"]["message"]
    assert (paid.folder / "runs/toy/paid/report.html").exists()
    assert paid.json(*budget(0.31))["status"] == "done"
    assert chats(paid) == 4


def test_a_finished_run_does_not_count_against_the_next_one(paid: Paid) -> None:
    """A question more is a run of its own, held to the budget by itself."""
    answering(paid, LONG)
    paid.json(*budget(0.41))
    more = QUESTIONS.replace("]", ", {id: e, user: 五?}]")
    assert paid.json("toy.yaml", "--set", more, "--set", "budget.usd=0.11")["status"] == "done"
    assert chats(paid) == 5


def test_training_over_the_budget_ends_spending(paid: Paid) -> None:
    """More tokens than estimated were trained on: it is said, the model is kept, and no question is asked."""
    answering(paid, LONG, trained=3_210_000)
    error = paid.json(*budget(0.2), code=4)["error"]
    assert (error["code"], chats(paid)) == ("over_budget", 0)
    assert "this run has cost US$3.21" in error["message"]
    assert "warning: training cost US$3.21, more than `budget.usd` of US$0.20" in paid.error
    assert paid.json("ledger", "toy.yaml")["usd"] == pytest.approx(3.21)
    assert paid.json(*budget(0.2), code=4)["error"]["code"] == "over_budget"
    assert paid.json(*budget(5))["status"] == "done"
    assert (chats(paid), len(paid.provider.jobs)) == (4, 1)


def test_training_over_the_budget_is_told_without_questions(paid: Paid) -> None:
    """Also where the job was left to itself: the report is written, and the exit code says it once."""
    answering(paid, LONG, trained=3_210_000)
    none = ("toy.yaml", "--set", "eval.prompts=[]", "--set", "budget.usd=0.2")
    paid.json(*none, "--detach", code=75)
    assert paid.json(*none, code=4)["error"]["code"] == "over_budget"
    assert "training cost US$3.21" in paid.error
    assert (paid.folder / "runs/toy/paid/report.html").exists()
    assert paid.json(*none)["status"] == "done"


def test_the_month_stops_a_run_in_the_middle(paid: Paid) -> None:
    """The month's budget is held to what came back as well, with --yes too."""
    answering(paid, LONG)
    month = ("toy.yaml", "--yes", "--set", QUESTIONS, "--set", "budget.usd_per_month=0.15")
    assert (paid.json(*month, code=4)["error"]["code"], chats(paid)) == ("over_month", 2)
    assert (paid.json(*month, code=4)["error"]["code"], chats(paid)) == ("over_month", 2)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        "many",
        {"prompt_tokens": -5, "completion_tokens": -5},
        {"prompt_tokens": "12", "completion_tokens": "many"},
        {"prompt_tokens": 2**60, "completion_tokens": 2**60},
        {"prompt_tokens": True, "completion_tokens": None},
        {"prompt_tokens": float("nan"), "completion_tokens": float("inf")},
    ],
)
def test_what_the_server_does_not_count_is_counted_here(paid: Paid, usage: Any) -> None:
    """Without a usage, or with nonsense, the tokens of question and answer count; the ledger has them."""
    answering(paid, usage, text="はい。" * 40_000)
    error = paid.json(*budget(0.1), code=4)["error"]
    assert (error["code"], chats(paid)) == ("over_budget", 2)
    ledger = paid.json("ledger", "toy.yaml")
    assert 0.1 < ledger["usd"] < 0.3 and ledger["estimated"] == 0


def test_tokens_that_only_the_sum_has_are_counted(paid: Paid) -> None:
    """Some servers count what a model thinks before it answers in `total_tokens` alone, and bill it."""
    answering(paid, {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 100_000})
    assert paid.json(*budget(0.15), code=4)["error"]["code"] == "over_budget"
    assert (chats(paid), paid.json("ledger", "toy.yaml")["usd"]) == (2, pytest.approx(0.2001))


def test_an_open_estimate_covers_what_is_missing_alone(paid: Paid) -> None:
    """After a stop the plan prices only the questions that nobody answered."""
    answering(paid, LONG)
    before = paid.json("plan", *budget(0.15))["estimate"]["eval_usd"]
    paid.json(*budget(0.15), code=4)
    assert paid.json("plan", *budget(0.15))["estimate"]["eval_usd"] == pytest.approx(before / 2, rel=0.05)


def test_another_way_to_ask_is_the_same_run(paid: Paid) -> None:
    """What an evaluation paid before it stopped counts, also where questions change, as advised."""
    answering(paid, LONG)
    paid.json(*budget(0.15), code=4)
    for change in ("eval.sampling.max_tokens=99", "eval.prompts=[{id: a, user: 六?}]"):
        assert paid.json(*budget(0.15), "--set", change, code=4)["error"]["code"] == "over_budget"
    assert chats(paid) == 2


def test_answers_that_are_elsewhere_were_paid_for(paid: Paid) -> None:
    """Where only the ledger knows what was spent, as on a machine that shares the state, the budget holds."""
    answering(paid, LONG)
    shared = ("--set", f"state=file://{paid.folder}/shared")
    (paid.folder / "shared").mkdir()
    paid.json(*budget(0.15), *shared, code=4)
    paid.json(*budget(0.15), *shared, "--runs-dir", "another machine's", code=4)
    assert chats(paid) == 2


def test_force_does_not_forget_what_was_spent(paid: Paid) -> None:
    """Repeating `--force evaluate` does not restart its budget, and the hint leaves it out."""
    answering(paid, LONG)
    paid.json(*budget(1))
    hint = paid.json(*budget(0.15), "--force", "evaluate", code=4)["error"]["hint"]
    assert "Leave out `--force evaluate` then: it would ask every question again" in hint
    assert paid.json(*budget(0.15), "--force", "evaluate", code=4)["error"]["code"] == "over_budget"
    assert chats(paid) == 6


def test_the_way_on_after_another_job_is_not_another_one(paid: Paid) -> None:
    """If a run with `--force train` stops or detaches, its hint leaves that out."""
    answering(paid, LONG, trained=3_210_000)
    for words, code in ((budget(0.2), 4), (("toy.yaml", "--yes", "--detach"), 75)):
        hint = paid.json(*words, "--force", "train", code=code)["error"]["hint"]
        assert "Leave out `--force train` then: it would create another job" in hint


@pytest.mark.parametrize("words", [budget(0.25), ("augment", *budget(0.25)[:1], *budget(0.25)[3:])])
def test_kills_do_not_make_the_budget_forget(paid: Paid, words: tuple[str, ...]) -> None:
    """A run that is killed while it waits for an answer has written what came: the budget still holds."""
    answering(paid, LONG, text="1. これは\n2. それは")
    killed: list[Forked] = []
    script = paid.provider.hook

    def hook(asked: Asked) -> Answer | None:
        if asked.path == "/chat/completions" and chats(paid) % 2 == 0:
            os.killpg(killed[-1].pid, signal.SIGKILL)
            return refusal(500)
        return script(asked)

    paid.provider.hook = hook
    for _ in range(2):
        killed.append(Ftrun(paid.folder).start(*words))
        killed[-1].communicate()
        assert killed[-1].returncode == -signal.SIGKILL
    paid.provider.hook = script
    assert paid.json(*words, code=4)["error"]["code"] == "over_budget"
    assert chats(paid) == 5, "two answers were on their way"
    assert paid.json("ledger", "toy.yaml")["usd"] == pytest.approx(0.3, abs=0.001)


AUGMENT = ("augment", "toy.yaml", "--set", "data.augment.max_rows=8")


def test_augment_stops_at_its_cap(paid: Paid) -> None:
    """Answers longer than asked for end it with 4; what came is proposed, and asked for no more."""
    answering(paid, LONG, text="1. これは\n2. それは")
    stopped = paid.json(*AUGMENT, "--set", "data.augment.max_usd=0.05", code=4)
    assert (stopped["error"]["code"], chats(paid)) == ("over_budget", 1)
    assert "1 of 4 answers arrived: US$0.10 is spent" in stopped["error"]["message"]
    assert "Raise `data.augment.max_usd`" in stopped["error"]["hint"]
    assert paid.json("review", "toy.yaml")["entries"]
    for cap in ("data.augment.max_usd=0.05", "budget.usd=0.05"):
        assert paid.json(*AUGMENT, "--set", cap, code=4)["error"]["code"] == "over_budget"
    assert chats(paid) == 1
    assert paid.json(*AUGMENT, "--set", "data.augment.max_usd=1")["asked"] == 3
    assert paid.json("ledger", "toy.yaml")["usd"] == pytest.approx(0.4)


def test_augment_tells_of_a_last_answer_over_the_cap(paid: Paid) -> None:
    """What came is proposed, the exit code says that it cost more than it may, and nothing is left to ask."""
    answering(paid, LONG, text="1. これは\n2. それは")
    one = (*AUGMENT[:2], "--set", "data.augment.max_rows=2", "--set", "data.augment.max_usd=0.05")
    assert paid.json(*one, code=4)["error"]["code"] == "over_budget"
    assert paid.json("review", "toy.yaml")["entries"]
    assert paid.json(*one)["asked"] == 0


@pytest.mark.parametrize("cap", ["data.augment.max_usd=0.15", "budget.usd=0.15"])
@pytest.mark.parametrize("left", ["all that git keeps", "the ledger"])
def test_augment_keeps_its_cap_in_a_clone(paid: Paid, tmp_path: Path, cap: str, left: str) -> None:
    """A git clone knows the answers and what they cost; where it has none, the ledger's sum counts."""
    answering(paid, LONG, text="no row")
    paid.json(*AUGMENT, "--set", cap, code=4)
    assert chats(paid) == 2
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    listed = ["git", "-C", str(tmp_path), "ls-files", "-o", "--exclude-standard"]
    kept = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
    for path in (path for path in tmp_path.glob("runs/**/*") if path.is_file()):
        ledger = path.name in ("ledger.jsonl", "state.json")
        if str(path.relative_to(tmp_path)) not in kept or not (ledger or left != "the ledger"):
            path.unlink()
    shutil.rmtree(tmp_path / ".git")
    assert paid.json(*AUGMENT, "--set", cap, code=4)["error"]["code"] == "over_budget"
    assert chats(paid) == 2
    if left != "the ledger":
        assert paid.json(*AUGMENT, "--set", cap.replace("0.15", "1"))["asked"] == 2


@pytest.mark.parametrize("usd", ["NaN", "-9", "true", '"soon"'])
def test_a_kept_answer_without_an_amount_stops_augment(paid: Paid, usd: str) -> None:
    """What was spent is unknown then, so the cap can't be kept: exit 4 with file and line."""
    answering(paid, LONG, text="1. これは\n2. それは")
    paid.json(*AUGMENT, "--set", "data.augment.max_usd=0.05", code=4)
    kept = paid.folder / "runs/toy/paid/augment.answers.jsonl"
    line = json.loads(kept.read_text(encoding="utf-8"))
    kept.write_text(kept.read_text(encoding="utf-8").replace(str(line["usd"]), usd), encoding="utf-8")
    error = paid.json(*AUGMENT, "--set", "data.augment.max_usd=0.05", code=4)["error"]
    assert (error["code"], error["line"], chats(paid)) == ("answers_damaged", 1, 1)
