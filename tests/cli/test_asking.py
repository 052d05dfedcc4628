"""Asking many questions at once, as a user sees it: kills, other targets of the file, tools."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from conftest import Ftrun
from support.forked import Forked
from support.paid_project import Paid
from support.provider import KEY
from support.scripted_server import Answer, Asked, ScriptedServer, refusal

MANY = "eval.prompts=[{}]".format(", ".join(f"{{id: p{n}, user: '質問{n}'}}" for n in range(40)))
PATIENCE = 60.0  # seconds


def said(asked: Asked) -> Answer:
    """Return an answer that depends on the question."""
    text = f"{asked.body['model']}: {asked.body['messages'][-1]['content']}"
    usage = {"prompt_tokens": 10, "completion_tokens": 10}
    return Answer(
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}], "usage": usage}
    )


@pytest.fixture
def other(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """Yield the server of another target of the project's file, with a candidate there."""
    monkeypatch.setenv("OTHER_KEY", f"{KEY}-other")
    server = ScriptedServer(said)
    text = paid.config.read_text(encoding="utf-8")
    text = text.replace(
        "data: {sources",
        f"  far: {{provider: openai, model: o, base_url: '{server.base_url}', api_key_env: OTHER_KEY,\n"
        "    price: {train: 1, input: 1000, output: 1000}}\n"
        "  local: {provider: local, model: rehearsal}\n"
        "target: paid\ndata: {sources",
    ).replace("models: [tuned]", "models: [base, {name: rival, model: o, target: far}]")
    paid.config.write_text(text, encoding="utf-8")
    yield server
    server.close()


def test_a_kill_loses_no_answer_that_came(paid: Paid) -> None:
    """kill -9 with many questions under way: the next run asks only for those, and all are answered."""
    delivered, asked_for, killed = Counter[str](), Counter[str](), list[Forked]()
    lock, enough = threading.Lock(), threading.Event()

    def hook(asked: Asked) -> Answer | None:
        if asked.path != "/chat/completions":
            return None
        question = asked.body["messages"][-1]["content"]
        with lock:
            asked_for[question] += 1
            if killed and not enough.is_set() and len(delivered) >= 12:
                enough.set()
                os.killpg(killed[0].pid, signal.SIGKILL)
                return refusal(500)
            delivered[question] += 1
        time.sleep(0.02)
        return said(asked)

    paid.provider.hook = hook
    words = ("toy.yaml", "--yes", "--set", MANY, "--set", "targets.paid.concurrency=4")
    killed.append(Ftrun(paid.folder).start(*words))
    killed[0].communicate()
    assert killed[0].returncode == -signal.SIGKILL
    first = sum(asked_for.values())
    assert paid.json(*words)["status"] == "done"
    again = sum(count > 1 for count in asked_for.values())
    assert len(asked_for) == 40 and sum(asked_for.values()) - first >= 40 - 12
    assert again <= 4, "no more than were under way"
    lines = (paid.folder / "runs/toy/paid/answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 40 and all(f"質問{n}" in lines[n] for n in range(40))
    asked = sum(asked_for.values())
    paid.json(*words)
    assert sum(asked_for.values()) == asked


def test_a_candidate_at_another_target_is_asked_there(paid: Paid, other: ScriptedServer) -> None:
    """With that target's key and price: in plan, consent and ledger. A rerun asks nothing."""
    paid.provider.hook = lambda asked: said(asked) if asked.path == "/chat/completions" else None
    estimate = paid.json("plan", "toy.yaml", "--yes")["estimate"]
    assert estimate["eval_usd"] > 0.2, "256 tokens of an answer alone"
    assert paid.json("toy.yaml", "--yes")["status"] == "done"
    assert [asked.headers["Authorization"] for asked in other.asked] == [f"Bearer {KEY}-other"]
    lines = (paid.folder / "runs/toy/paid/ledger.jsonl").read_text(encoding="utf-8").splitlines()
    paid_for = next(
        line for line in map(json.loads, lines) if line["standing"] == "actual" and "answers" in line["kind"]
    )
    assert paid_for["usd"] == pytest.approx(0.02002)
    paid.json("toy.yaml", "--yes")
    assert len(other.asked) == 1


def test_the_budget_covers_other_targets(paid: Paid, other: ScriptedServer) -> None:
    """Nothing is sent where their answers would exceed it."""
    error = paid.json("toy.yaml", "--yes", "--set", "budget.usd=0.1", code=4)["error"]
    assert error["code"] == "over_budget" and "nothing was sent" in error["message"]
    assert other.asked == [] and paid.provider.jobs == {}


def test_nobody_agreed_to_the_other_key(paid: Paid, other: ScriptedServer) -> None:
    """A budget is a yes for servers on this machine; without one and without --yes nothing is sent."""
    error = paid.json("toy.yaml", code=4)["error"]
    assert error["code"] == "not_confirmed" and other.asked == []


def test_a_missing_key_of_another_target_is_said_first(
    paid: Paid, other: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is uploaded, trained or paid."""
    monkeypatch.delenv("OTHER_KEY")
    error = paid.json("toy.yaml", "--yes", code=2)["error"]
    assert error["code"] == "no_key" and "'far'" in error["message"]
    assert paid.provider.files == {}


def test_a_local_experiment_pays_for_candidates_elsewhere(paid: Paid, other: ScriptedServer) -> None:
    """The engine is free, the other target is not: the plan says so, and somebody must agree."""
    here = ("toy.yaml", "--target", "local")
    plan = paid.json("plan", *here, "--yes")
    assert plan["estimate"]["usd"] > 0.2 and not plan["estimate"]["free"]
    assert {step["stage"] for step in plan["steps"] if step["paid"]} == {"evaluate"}
    assert paid.json(*here, code=4)["error"]["code"] == "not_confirmed"
    assert other.asked == []
    assert paid.json(*here, "--set", "budget.usd=0.01", code=4)["error"]["code"] == "over_budget"
    assert paid.json(*here, "--set", "budget.usd=1")["status"] == "done"
    assert len(other.asked) == 1
    assert paid.json("ledger", "toy.yaml")["usd"] == pytest.approx(0.02)


def test_tools_where_none_are_taken_are_an_error_before_anything(paid: Paid, other: ScriptedServer) -> None:
    """The place in the file, and nothing asked, trained or paid."""
    tool = "{type: function, function: {name: f, parameters: {type: object}}}"
    question = f"eval.prompts=[{{id: a, user: 一?, tools: [{tool}]}}]"
    words = ("toy.yaml", "--yes", "--set", question, "--set", "targets.far.capabilities.tools=missing")
    error = paid.json(*words, code=2)["error"]
    assert error["code"] == "no_tools" and "'far'" in error["message"] and error["line"]
    assert other.asked == [] and paid.provider.jobs == {}


@pytest.mark.parametrize(("model", "code"), [("rehearsal", 0), ("smollm2-135m-instruct", 2)])
def test_tools_go_to_models_of_the_engine_that_may_take_them(paid: Paid, model: str, code: int) -> None:
    """A rehearsal is asked; a built-in model's template has no place for functions, which is known before."""
    tool = "{type: function, function: {name: f, parameters: {type: object}}}"
    question = f"eval.prompts=[{{id: a, user: 一?, tools: [{tool}]}}]"
    words = ("toy.yaml", "--target", "local", "--set", f"targets.local={{provider: local, model: {model}}}")
    result = paid.json(*words, "--set", question, "--set", "eval.models=[tuned]", code=code)
    assert result.get("error", {}).get("code") == (None if code == 0 else "no_tools")


def test_a_server_that_is_down_for_a_moment_is_waited_for(paid: Paid) -> None:
    """503 to a third of all questions: each is answered in the end, and the lost ones are reported."""
    seen = Counter[str]()

    def hook(asked: Asked) -> Answer | None:
        if asked.path != "/chat/completions":
            return None
        question = asked.body["messages"][-1]["content"]
        seen[question] += 1
        return refusal(503) if seen[question] == 1 and question.endswith(("1", "4", "7")) else said(asked)

    paid.provider.hook = hook
    assert paid.json("toy.yaml", "--yes", "--set", MANY)["status"] == "done"
    assert len(seen) == 40 and sum(seen.values()) == 52
    assert "answers lost on their way, or replaced by a server error: 12" in paid.error
