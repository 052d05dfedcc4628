"""Experiments without `data` and `train`: they evaluate models or recorded answers, and say so everywhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from conftest import Ftrun
from ftrun.engine.launch import running_engine
from support.paid_project import Paid

CONFIG = "configs/only.yaml"
QUESTIONS = """
  prompts:
    - {id: one, user: 一番は？, expect: {contains: 一}}
    - {id: two, user: 二番は？, expect: {contains: 二}}
"""
RECORDED = f"""\
version: 1
name: only
eval:
  models: [{{name: new, answers: new.jsonl}}, {{name: old, answers: old.jsonl}}]{QUESTIONS}
"""


def _write(ftrun: Ftrun, text: str = RECORDED, new: tuple[str, str] = ("一", "二")) -> None:
    (ftrun.folder / CONFIG).write_text(text, encoding="utf-8")
    for name, answers in (("new", new), ("old", ("一", "一"))):
        lines = [
            json.dumps({"prompt_id": prompt, "answer": answer}, ensure_ascii=False)
            for prompt, answer in zip(("one", "two"), answers, strict=True)
        ]
        (ftrun.folder / f"configs/{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")


def _engine() -> object:
    return running_engine(Path(os.environ["FTRUN_HOME"]))


def test_recorded_answers_are_evaluated_without_a_server(ftrun: Ftrun) -> None:
    """No data, no target, no key: the run scores and reports, starts nothing, and has nothing to do then."""
    _write(ftrun)
    document = ftrun.json("run", CONFIG)
    assert document["status"] == "done"
    assert list(document["stages"]) == ["evaluate", "report"]
    assert {name: one["pass_rate"] for name, one in document["metrics"].items()} == {"new": 1.0, "old": 0.5}
    assert Path(document["report"]).is_file()
    again = ftrun.json("run", CONFIG)
    assert {stage["action"] for stage in again["stages"].values()} == {"skip"}
    assert _engine() is None


def test_a_changed_recording_is_scored_again(ftrun: Ftrun) -> None:
    """The content of the file counts, as that of data does."""
    _write(ftrun)
    ftrun.json("run", CONFIG)
    _write(ftrun, new=("一", "三"))
    assert ftrun.json("run", CONFIG)["metrics"]["new"]["pass_rate"] == 0.5


def test_the_plan_has_the_stages_that_apply(ftrun: Ftrun) -> None:
    """Nothing is prepared, uploaded or trained, and no server is looked for."""
    _write(ftrun)
    plan = ftrun.json("plan", CONFIG)
    assert [(step["stage"], step["action"], step["paid"]) for step in plan["steps"]] == [
        ("evaluate", "run", False),
        ("report", "run", False),
    ]
    assert not any("remote" in note for note in plan["notes"])
    assert set(ftrun.json("status", CONFIG)["stages"]) == {"evaluate", "report"}
    assert _engine() is None


def test_check_says_that_there_are_no_data(ftrun: Ftrun) -> None:
    """The file is checked; there is nothing else to check."""
    _write(ftrun)
    done = ftrun("check", CONFIG)
    assert done.returncode == 0
    assert "only has no data to check: it only evaluates (2 questions for new, old)." in done.stdout
    document = ftrun.json("check", CONFIG)
    assert document["errors"] == []
    assert document["files"]["train"] is None


@pytest.mark.parametrize(
    "words",
    [
        ["data"],
        ["augment"],
        ["chat"],
        ["events"],
        ["wait"],
        ["cancel"],
        ["pause"],
        ["resume"],
    ],
)
def test_commands_about_training_say_why_they_cannot(ftrun: Ftrun, words: list[str]) -> None:
    """One message with the way out, exit 2, and nothing is started."""
    _write(ftrun)
    error = ftrun.json(*words, CONFIG, code=2)["error"]
    assert error["code"] == "no_data"
    assert "only evaluates" in error["message"]
    assert "ftrun eval" in error["hint"]
    assert _engine() is None


def test_a_job_cannot_be_adopted(ftrun: Ftrun) -> None:
    """An experiment that trains nothing takes no job."""
    _write(ftrun)
    assert ftrun.json("adopt", CONFIG, "ftjob-1", code=2)["error"]["code"] == "no_data"


@pytest.mark.parametrize("option", ["--until", "--force"])
def test_stages_that_do_not_apply_cannot_be_named(ftrun: Ftrun, option: str) -> None:
    """`--until train` would never stop."""
    _write(ftrun)
    message = ftrun.json("run", CONFIG, option, "train", code=2)["error"]["message"]
    assert "no such stage" in message


def test_models_of_this_machine_are_asked(ftrun: Ftrun) -> None:
    """The base model with two system prompts, beside recorded answers: one engine, no job."""
    _write(
        ftrun,
        "version: 1\nname: only\ntargets: {local: {provider: local, model: rehearsal}}\neval:\n  models: "
        "[base, {name: brief, model: base, system: Be brief.}, {name: old, answers: old.jsonl}]" + QUESTIONS,
    )
    document = ftrun.json("run", CONFIG)
    assert set(document["metrics"]) == {"base", "brief", "old"}
    assert document["job_id"] is None
    lines = (ftrun.folder / "runs/only/local/answers.jsonl").read_text(encoding="utf-8").splitlines()
    asked = {(one["candidate"], one["messages"][0]["content"]) for one in map(json.loads, lines)}
    assert ("brief", "Be brief.") in asked
    assert ("base", "一番は？") in asked
    assert ftrun.json("ls", "jobs", CONFIG)["jobs"] == []


ONLY_PAID = """\
version: 1
name: only
targets:
  paid: {{provider: openai, model: m, base_url: '{base_url}', api_key_env: SOME_KEY,
    poll: {{min: 0.01, max: 0.02}}, price: {{train: 1, input: 1, output: 1}}}}
eval:
  models: [base]{questions}
"""


def test_answers_that_cost_money_need_consent(paid: Paid) -> None:
    """Without a budget or --yes nobody is asked; with it each question is asked once, and nothing else."""
    config = paid.folder / "only.yaml"
    config.write_text(ONLY_PAID.format(base_url=paid.server.base_url, questions=QUESTIONS), encoding="utf-8")
    plan = paid.json("plan", config)
    assert [(step["stage"], step["paid"]) for step in plan["steps"]] == [
        ("evaluate", True),
        ("report", False),
    ]
    assert plan["estimate"]["usd"] > 0
    assert paid.json("run", config, code=4)["error"]["code"] == "not_confirmed"
    assert paid.provider.answers == 0
    assert paid.json("run", config, "--yes")["status"] == "done"
    assert (paid.provider.answers, paid.provider.created, paid.provider.files) == (2, [], {})
    assert paid.json("run", config, "--yes")["status"] == "done"
    assert paid.provider.answers == 2


def test_data_may_be_added_later(ftrun: Ftrun) -> None:
    """The same experiment then trains; what it evaluated before stays."""
    _write(
        ftrun,
        "version: 1\nname: only\ntargets: {local: {provider: local, model: rehearsal}}\n"
        "eval:\n  models: [base]" + QUESTIONS,
    )
    ftrun.json("run", CONFIG)
    text = (ftrun.folder / CONFIG).read_text(encoding="utf-8").replace("[base]", "[tuned, base]")
    data = (
        "data: {sources: [{path: data/toy.csv}]}\n"
        'prompt: {user: "{{ q }}", assistant: "{{ a }}"}\ntrain: {hyperparameters: {n_epochs: 1}}\n'
    )
    (ftrun.folder / CONFIG).write_text(text + data, encoding="utf-8")
    document = ftrun.json("run", CONFIG)
    assert set(document["metrics"]) == {"tuned", "base"}
    assert document["fine_tuned_model"]


def test_a_paid_candidate_of_a_local_experiment_needs_consent(paid: Paid) -> None:
    """Who is asked at another target costs money there, whatever the experiment's own target is."""
    config = paid.folder / "only.yaml"
    text = ONLY_PAID.format(base_url=paid.server.base_url, questions=QUESTIONS)
    local = "target: local\ntargets:\n  local: {provider: local, model: rehearsal}\n"
    text = text.replace("targets:\n", local)
    config.write_text(text.replace("[base]", "[{name: mini, target: paid}]"), encoding="utf-8")
    plan = paid.json("plan", config)
    assert [(step["stage"], step["paid"]) for step in plan["steps"]] == [
        ("evaluate", True),
        ("report", False),
    ]
    assert paid.json("run", config, code=4)["error"]["code"] == "not_confirmed"
    assert paid.provider.answers == 0
    assert paid.json("run", config, "--yes")["status"] == "done"
    assert paid.provider.answers == 2


@pytest.mark.parametrize("words", [["run"], ["plan"], ["eval"]])
def test_a_file_of_targets_alone_says_what_it_is_for(ftrun: Ftrun, words: list[str]) -> None:
    """It is valid as `--config` of other commands; whoever runs it learns that there is nothing to do."""
    targets = "version: 1\nname: only\ntargets: {local: {provider: local, model: rehearsal}}\n"
    (ftrun.folder / CONFIG).write_text(targets, encoding="utf-8")
    error = ftrun.json(*words, CONFIG, code=2)["error"]
    assert error["code"] == "targets_alone"
    assert "`data`" in error["message"]
