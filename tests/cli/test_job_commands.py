"""wait, cancel, pause, resume, notices and guards, against a provider in memory."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from support.paid_project import Paid
from support.provider import KEY
from support.scripted_server import Answer, Asked, ScriptedServer, refusal


@pytest.fixture
def detached(paid: Paid) -> Paid:
    """Return a project whose job was created and left running."""
    paid.provider.looks = 1000
    assert paid.json("run", paid.config, "--yes", "--detach", code=75)["status"] == "pending"
    return paid


def test_wait_waits_for_the_end_and_creates_nothing(detached: Paid) -> None:
    """`wait` ends with the job, changes no state, and `run` continues from there."""
    detached.provider.looks = 3
    before = (detached.folder / "runs/toy/paid/state.json").read_bytes()
    document = detached.json("wait", detached.config)
    assert document["job_status"] == "succeeded"
    assert document["fine_tuned_model"] == "ft:m:ftjob-1"
    assert (detached.folder / "runs/toy/paid/state.json").read_bytes() == before
    assert detached.json("run", detached.config, "--yes")["status"] == "done"
    assert len(detached.provider.created) == 1


def test_wait_gives_up_with_75(detached: Paid) -> None:
    """After --max-wait the job keeps running."""
    assert detached.json("wait", detached.config, "--max-wait", "0.1", code=75)["error"]["code"] == "pending"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            {"code": "x", "message": "This model was blocked by our usage policies"},
            "job_moderation",
            "events",
        ),
        ({"code": "exceeded_quota", "message": "quota"}, "job_quota", "Add credit"),
        ({"code": "invalid_training_file", "message": "Line 3: bad"}, "job_data", "ftrun check"),
        ({"code": "server_error", "message": "internal error"}, "job_server", "provider failed"),
        (
            {"code": "model_not_loadable", "message": "/home/harm/unsafe can't be loaded: internal error"},
            "job_model",
            "base model",
        ),
        (
            {"code": "disk_full", "message": "No space left on device: /home/harm/unsafe/.cache"},
            "job_failed",
            "Fix the cause",
        ),
        ({}, "job_failed", "--force train"),
    ],
)
def test_a_failed_job_is_explained(detached: Paid, error: dict[str, Any], code: str, words: str) -> None:
    """Moderation, quota, data, the model and the server's own failures each name the next step."""
    detached.provider.jobs["ftjob-1"].update(status="failed", error=error)
    told = detached.json("wait", detached.config, code=1)["error"]
    assert told["code"] == code
    assert words in told["hint"]
    assert detached.json("run", detached.config, "--yes", code=1)["error"]["code"] == code
    assert len(detached.provider.created) == 1


def test_cancel_asks_where_it_cost_money(detached: Paid) -> None:
    """With nobody to ask nothing is cancelled; with --yes it is, and the next run says so."""
    assert detached.json("cancel", detached.config, code=4)["error"]["code"] == "not_confirmed"
    assert detached.provider.jobs["ftjob-1"]["status"] == "running"
    assert detached.json("cancel", detached.config, "--yes")["job_status"] == "cancelled"
    assert detached.json("cancel", detached.config)["job_status"] == "cancelled"
    assert detached.json("run", detached.config, "--yes", code=1)["error"]["code"] == "job_cancelled"
    assert len(detached.provider.created) == 1


def test_a_twin_is_cancelled_by_its_id(detached: Paid) -> None:
    """Another job of the account is cancelled by its id; the experiment's own keeps running."""
    twin = detached.provider.add_job(model="m")
    assert detached.json("cancel", detached.config, twin, "--yes")["job_id"] == twin
    assert [job["status"] for job in detached.provider.jobs.values()] == ["running", "cancelled"]


def test_an_ended_job_is_not_cancelled(detached: Paid) -> None:
    """What has succeeded can't be cancelled, and is said to have."""
    detached.provider.jobs["ftjob-1"].update(status="succeeded", fine_tuned_model="ft:m")
    assert "succeeded" in detached.json("cancel", detached.config, "--yes", code=1)["error"]["message"]


def test_pause_and_resume(detached: Paid) -> None:
    """A paused job has not ended; once resumed, it continues."""
    assert detached.json("pause", detached.config)["job_status"] == "paused"
    document = detached.json("run", detached.config, "--yes", "--max-wait", "0.1", code=75)
    assert document["status"] == "pending"
    assert detached.json("resume", detached.config)["job_status"] == "running"


def test_a_server_that_cannot_pause_is_said_to(detached: Paid) -> None:
    """A 404 for the call is no 404 for the job."""
    detached.provider.hook = lambda asked: refusal(404) if asked.path.endswith("/pause") else None
    assert detached.json("pause", detached.config, code=1)["error"]["code"] == "not_supported"


def test_a_webhook_is_told_no_key(detached: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that a server repeats in a reason goes to nobody else."""
    told: list[str] = []

    def hear(asked: Asked) -> Answer:
        told.append(json.dumps(asked.body))
        return Answer({})

    hook = ScriptedServer(hear)
    monkeypatch.setenv("HOOK", f"{hook.origin}/secret-0123456789")
    detached.add("notify: {webhook_env: HOOK}\n")
    reason = {"message": f"no credit for {KEY}", "code": "quota"}
    detached.provider.jobs["ftjob-1"].update(status="failed", error=reason)
    detached.json("run", detached.config, "--yes", code=1)
    hook.close()
    assert len(told) == 1 and "no credit" in told[0] and KEY not in told[0]


@pytest.mark.parametrize("command", ["wait", "cancel", "pause", "resume", "events"])
def test_without_a_job_there_is_nothing_to_do(paid: Paid, command: str) -> None:
    """Before there is a job the commands about it say so, with the command that makes one."""
    error = paid.json(command, paid.config, code=2)["error"]
    assert error["code"] == "no_job"
    assert "toy.yaml" in error["hint"]


def test_a_webhook_is_told_how_it_ended(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small JSON document is posted once the job has ended; its address is shown nowhere."""
    told: list[Any] = []

    def hear(asked: Asked) -> Answer:
        told.append(asked.body)
        return Answer({})

    hook = ScriptedServer(hear)
    monkeypatch.setenv("HOOK", f"{hook.origin}/secret-0123456789")
    paid.add("notify: {webhook_env: HOOK}\n")
    paid.json("run", paid.config, "--yes")
    paid.json("run", paid.config, "--yes")  # nothing to do: nothing to tell
    hook.close()
    (payload,) = told
    assert payload["status"] == "done" and payload["fine_tuned_model"] == "ft:m:ftjob-1"
    assert payload["error"] is None
    assert "toy on paid is done" in payload["text"]


@pytest.mark.parametrize("address", ["", "http://example.org/x", "https://", "http://127.0.0.1:9/x", "::"])
def test_a_webhook_that_fails_never_fails_the_run(
    paid: Paid, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """No address, a plain http one, nobody there: a warning, and the run is done."""
    monkeypatch.setenv("HOOK", address)
    paid.add("notify: {webhook_env: HOOK}\n")
    assert paid.json("run", paid.config, "--yes")["status"] == "done"
    assert "no webhook" in paid.error
    assert not address or address not in paid.error


def test_a_desktop_message_passes_texts_as_arguments(
    paid: Paid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desktop's own command gets title and text as words of its own."""
    tool = tmp_path / "bin" / "notify-send"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > "{tmp_path}/said"\n')
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("sys.platform", "linux")
    paid.add("notify: {desktop: true, bell: true}\n")
    paid.json("run", paid.config, "--yes")
    assert (tmp_path / "said").read_text().startswith("--|ftrun toy|toy on paid is done")


def test_a_webhook_address_in_the_file_is_refused_unseen(paid: Paid) -> None:
    """The address itself is a secret: only the variable's name is in the file."""
    paid.add("notify: {webhook_env: 'https://hooks.example/T0/secret'}\n")
    document = paid.json("run", paid.config, "--yes", code=2)
    assert "hooks.example" not in str(document)


def step(number: int, **numbers: Any) -> dict[str, Any]:
    """Return a metrics event."""
    data = {"step": number, "train_loss": 1.0, **numbers}
    return {"id": f"e{number}", "created_at": number, "level": "info", "message": "s", "data": data}


def test_a_guard_stops_a_job_that_gets_worse_and_its_best_checkpoint_is_used(paid: Paid) -> None:
    """`validation_worse` cancels the job, and the run continues with the best checkpoint; once."""
    paid.provider.looks = 1000
    losses = (1.0, 0.8, 0.9, 0.95)
    paid.provider.events["ftjob-1"] = [step(n, full_valid_loss=loss) for n, loss in enumerate(losses)]
    paid.provider.checkpoints["ftjob-1"] = [
        {"id": f"c{n}", "step_number": n, "fine_tuned_model_checkpoint": f"ckpt-{n}",
         "metrics": {"step": n, "full_valid_loss": loss}}
        for n, loss in enumerate(losses)
    ]  # fmt: skip
    paid.add("train: {stop_when: {validation_worse: 2}}\n")
    document = paid.json("run", paid.config, "--yes")
    assert document["status"] == "done"
    assert document["fine_tuned_model"] == "ckpt-1"
    assert paid.provider.jobs["ftjob-1"]["status"] == "cancelled"
    assert "早めに停止" in (paid.folder / "runs/toy/paid/report.md").read_text(encoding="utf-8")
    again = paid.json("run", paid.config, "--yes")
    assert {stage["action"] for stage in again["stages"].values()} == {"skip"}


@pytest.mark.parametrize("guard", ["diverges: true", "loss_above: 3"])
def test_a_guard_stops_a_job_that_diverges(paid: Paid, guard: str) -> None:
    """A loss that explodes ends the job, with the reason in the error and in later plans."""
    paid.provider.looks = 1000
    paid.provider.events["ftjob-1"] = [step(n, train_loss=1.0 + n * 2) for n in range(12)]
    paid.add(f"train: {{stop_when: {{{guard}}}}}\n")
    error = paid.json("run", paid.config, "--yes", code=1)["error"]
    assert error["code"] == "job_stopped"
    assert "loss" in error["message"]
    assert paid.json("run", paid.config, "--yes", code=1)["error"]["code"] == "job_failed"
    assert len(paid.provider.created) == 1


def test_a_guard_is_no_part_of_a_job(paid: Paid) -> None:
    """Adding a guard after the end reruns nothing."""
    paid.json("run", paid.config, "--yes")
    paid.add("train: {stop_when: {validation_worse: 2}}\n")
    plan = paid.json("plan", paid.config)
    assert {one["action"] for one in plan["steps"]} == {"skip"}


def test_no_event_speaks_to_the_terminal(paid: Paid) -> None:
    """Escapes in the level of an event, as in its message, are shown; in JSON they stay what they are."""
    paid.provider.events["ftjob-1"] = [{**step(1), "level": "\x1b[2J\x9b1m", "message": "\x1b]0;x\x07"}]
    paid.json("run", paid.config, "--yes")
    shown = paid.run("events", paid.config)
    assert "u001b[2J" in shown
    assert not {"\x1b", "\x9b", "\x07"} & set(shown)
    assert paid.json("events", paid.config)["events"][0]["level"] == "\x1b[2J\x9b1m"
