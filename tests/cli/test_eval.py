"""`ftrun eval`: ask and score without training, before anything is trained and after."""

from __future__ import annotations

import json
import re
import shlex
import signal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from conftest import Ftrun
from support.engine_process import wait_until
from support.paid_project import Paid

TOY = "configs/toy.yaml"
RUN = "runs/toy/local"


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the JSON lines of a file; none without it."""
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def asked(project: Path) -> list[tuple[str, str]]:
    """Return what was ever asked, by candidate and prompt, in no order."""
    found = lines(project / RUN / "answers.cache.jsonl")
    return sorted((line["candidate"], line["prompt_id"]) for line in found)


def edit(project: Path, old: str, new: str) -> None:
    """Replace a text in the experiment file."""
    path = project / TOY
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_without_a_tuned_model_the_tip_works(ftrun: Ftrun) -> None:
    """Exit 2, nothing is trained or asked; the command in the tip asks what can be asked."""
    failed = ftrun.json("eval", TOY, code=2)
    assert failed["error"]["code"] == "no_model"
    assert not (ftrun.folder / RUN / "state.json").exists()
    tip = re.search(r"`ftrun (eval .*? --before)`", failed["error"]["hint"])
    assert tip is not None
    found = ftrun.json(*shlex.split(tip[1]))
    assert list(found["candidates"]) == ["base", "few-shot", "retrieval"]


def test_before_says_what_to_beat_and_the_run_asks_none_of_it_again(ftrun: Ftrun, project: Path) -> None:
    """Nothing is trained; the answers are kept; answers.jsonl and scores.json are the run's."""
    edit(project, "eval:\n", "eval:\n  models: [tuned, base, few-shot, retrieval]\n")
    found = ftrun.json("eval", TOY, "--before")
    assert found["before"] and found["gates"] == []
    assert found["candidates"]["few-shot"]["metrics"]["pass_rate"] == {
        "value": 0.5,
        "n": 2,
        "low": None,
        "high": None,
    }
    reason = found["verdict"]["reasons"][0]
    assert reason == "Fine-tuning would have to beat base: 50% in pass_rate (2 questions)."
    run = project / RUN
    assert json.loads((run / "before.json").read_text())["candidates"] == found["candidates"]
    page = (run / "before.md").read_text(encoding="utf-8")
    assert page.startswith("# toy\n") and "few-shot" in page
    assert "fine-tuning**" not in page and "report.html" not in page
    shown = ftrun("eval", TOY, "--before").stdout
    assert f"{RUN}/before.md" in shown and shown.endswith(f"ftrun run {TOY}\n")
    assert not (run / "answers.jsonl").exists() and not (run / "scores.json").exists()
    first = asked(project)
    assert {name for name, _ in first} <= {"base", "few-shot", "retrieval"}
    state = json.loads((run / "state.json").read_text())
    assert not state["jobs"] and "evaluate" not in state["stages"]
    ftrun.json("eval", TOY, "--before")
    assert asked(project) == first
    done = ftrun.json(TOY)
    assert {name for name, _ in asked(project) if (name, _) not in first} == {"tuned"}
    assert list(done["metrics"]) == ["tuned", "base", "few-shot", "retrieval"]
    assert json.loads((run / "before.json").read_text())["candidates"] == found["candidates"]


def test_a_missed_gate_is_exit_5_each_time(ftrun: Ftrun, project: Path) -> None:
    """Everything is written first; a rerun with nothing to do says so again; a changed gate asks nobody."""
    edit(project, "eval:\n", "eval:\n  gates: [tuned.pass_rate >= 0.9, tuned.pass_rate >= 0.2]\n")
    missed = ftrun.json(TOY, code=5)
    assert (missed["status"], missed["error"]["code"]) == ("done", "gate_missed")
    assert "1 of 2 gates" in missed["error"]["message"]
    assert "tuned.pass_rate >= 0.9" in missed["error"]["message"]
    assert [(one["gate"], one["passed"], one["value"]) for one in missed["gates"]] == [
        ("tuned.pass_rate >= 0.9", False, -0.4),
        ("tuned.pass_rate >= 0.2", True, 0.3),
    ]
    assert Path(missed["report"]).exists()
    again = ftrun.json(TOY, code=5)
    assert {one["action"] for one in again["stages"].values()} == {"skip"}
    assert again["gates"] == missed["gates"]
    shown = ftrun("eval", TOY)
    assert shown.returncode == 5 and "1 of 2 gates missed: " in shown.stderr
    first = asked(project)
    edit(project, ">= 0.9", ">= 0.4")
    held = ftrun.json(TOY)
    assert [one["passed"] for one in held["gates"]] == [True, True]
    assert held["stages"]["train"]["action"] == "skip" and asked(project) == first


def test_what_eval_prints_is_scores_json(ftrun: Ftrun, project: Path) -> None:
    """The fixed document: candidates with intervals, comparisons, verdict and gates."""
    ftrun.json(TOY)
    found = ftrun.json("eval", TOY)
    assert found == json.loads((project / RUN / "scores.json").read_text())
    assert found.keys() >= {"experiment", "target", "candidates", "comparisons", "verdict", "gates"}
    (one,) = (one for one in found["comparisons"] if one["metric"] == "pass_rate")
    assert (one["a"], one["b"], one["flips"]) == ("tuned", "base", {"fixed": [], "broken": [], "same": 2})
    assert found["verdict"]["decision"] == "not_enough_evidence"
    record = lines(project / RUN / "answers.jsonl")[0]
    assert record["scores"]["expect"]["value"] == 1.0
    assert "ERROR" not in ftrun("eval", TOY).stderr


def test_eval_asks_only_what_is_new_and_reports_it(ftrun: Ftrun, project: Path) -> None:
    """A question more is asked of everybody, the training is left alone."""
    ftrun.json(TOY)
    before = (project / RUN / "report.md").read_text(encoding="utf-8")
    first = asked(project)
    edit(project, "    - {id: two", "    - {id: three, user: 三番は？}\n    - {id: two")
    found = ftrun.json("eval", TOY)
    assert set(asked(project)) - set(first) == {("base", "three"), ("tuned", "three")}
    assert found["candidates"]["tuned"]["answered"] == 3
    assert (project / RUN / "report.md").read_text(encoding="utf-8") != before
    edit(project, "n_epochs: 2", "n_epochs: 3")
    assert ftrun.json("eval", TOY, code=2)["error"]["code"] == "no_model"


def test_a_run_of_an_earlier_version_is_scored_again_for_eval(ftrun: Ftrun, project: Path) -> None:
    """Its scores.json has pass rates alone; the answers are here, so nobody is asked and nothing written."""
    ftrun.json(TOY)
    path = project / RUN / "scores.json"
    path.write_bytes((Path(__file__).parents[1] / "evaluation/golden/scores-0.1.json").read_bytes())
    old = path.read_bytes()
    found = ftrun.json("eval", TOY)
    assert found["candidates"]["tuned"]["metrics"]["pass_rate"]["value"] == 0.5
    assert found["comparisons"] and path.read_bytes() == old


def test_junit_has_gates_and_questions(ftrun: Ftrun, project: Path) -> None:
    """The file is written where it was asked for, also when a gate is missed."""
    edit(project, "eval:\n", "eval:\n  gates: [tuned.pass_rate >= 0.9]\n")
    ftrun.json(TOY, code=5)
    ftrun.json("eval", TOY, "--junit", "out.xml", code=5)
    found = ElementTree.fromstring((project / "out.xml").read_text(encoding="utf-8"))
    assert any(case.get("name") == "tuned.pass_rate >= 0.9" for case in found.iter("testcase"))


def test_recorded_answers_stand_for_a_candidate(ftrun: Ftrun, project: Path) -> None:
    """They are asked nobody, and compared; new ones score again and ask nothing."""
    old = project / "configs/old.jsonl"
    old.write_text(
        "".join(json.dumps({"prompt_id": one, "answer": "ない"}) + "\n" for one in ("one", "two", "more")),
        encoding="utf-8",
    )
    edit(project, "eval:\n", "eval:\n  models: [tuned, {name: old, answers: old.jsonl}]\n")
    ftrun.json(TOY)
    assert {name for name, _ in asked(project)} == {"tuned"}
    found = ftrun.json("eval", TOY)
    assert found["candidates"]["old"]["model"] is None
    (one,) = (one for one in found["comparisons"] if one["metric"] == "pass_rate")
    assert one["flips"] == {"fixed": ["one"], "broken": ["two"], "same": 0}
    assert any("'more'" in warning for warning in found["warnings"])
    first = asked(project)
    old.write_text('{"prompt_id": "two", "answer": "x"}\n', encoding="utf-8")
    again = ftrun.json("eval", TOY)
    assert (again["candidates"]["old"]["answered"], again["candidates"]["old"]["missing"]) == (1, 1)
    assert asked(project) == first


@pytest.mark.parametrize(
    ("keys", "text", "code"),
    [
        ("models: [tuned, {name: old, answers: old.jsonl}]", "x", "recorded_answers"),
        ("models: [tuned, {name: old, answers: old.jsonl}]", None, "recorded_answers"),
        ("scorers: [chrf]", "x", "references"),
        ("scorers: [{classification: {labels: [a, b]}}]", "x", "references"),
        ("test_set: true", "x", "eval_sets"),
        ('gates: ["tuned.tool_call > 0.5"]', "x", "unknown_metric"),
    ],
)
def test_what_can_not_work_is_refused_before_anything_is_trained(
    ftrun: Ftrun, project: Path, keys: str, text: str | None, code: str
) -> None:
    """Exit 2 with the file that is wrong, no job exists, and nobody was asked."""
    line = "{}" if text is None else json.dumps({"prompt_id": text, "answer": "y"})
    (project / "configs/old.jsonl").write_text(f"{line}\n", encoding="utf-8")
    edit(project, "eval:\n", f"eval:\n  {keys}\n")
    for command in ("plan", "run"):
        failed = ftrun.json(command, TOY, code=2)
        assert failed["error"]["code"] == code, (command, failed)
        assert failed["error"]["file"].startswith("configs/")
    state = project / RUN / "state.json"
    assert not state.exists() or not json.loads(state.read_text())["jobs"]
    assert not asked(project)


def test_few_shot_without_usable_rows_is_refused(paid: Paid) -> None:
    """The rows of a reinforcement have no answers to show."""
    rows = ({"messages": [{"role": "user", "content": f"質問{n}"}], "answer": "x"} for n in range(12))
    (paid.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = paid.config.read_text(encoding="utf-8").replace("toy.csv", "rows.jsonl")
    text = re.sub(r"prompt: .*\n", "", text)
    grader = "{type: string_check, name: g, operation: eq, input: '{{sample.output_text}}', reference: x}"
    train = f"train: {{method: reinforcement, grader: {grader}}}\n"
    paid.config.write_text(train.join(("", text)).replace("[tuned]", "[tuned, few-shot]"), encoding="utf-8")
    failed = paid.json("toy.yaml", "--yes", code=2)
    assert failed["error"]["code"] == "no_training_rows", failed
    assert not paid.provider.jobs


def test_a_fresh_clone_shows_the_evaluation_without_a_key(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers come from the history: nobody is asked, and the files are back."""
    first = paid.json("toy.yaml", "--yes")
    assert first["status"] == "done"
    told = paid.json("eval", "toy.yaml")
    run = paid.folder / "runs/toy/paid"
    for path in run.iterdir():
        if path.is_file() and path.name not in ("state.json", "ledger.jsonl"):
            path.unlink()
    monkeypatch.delenv("SOME_KEY")
    before = len(paid.server.asked)
    again = paid.json("eval", "toy.yaml")
    assert again["candidates"] == told["candidates"]
    assert len(paid.server.asked) == before
    assert (run / "answers.jsonl").exists() and (run / "scores.json").exists()


def test_checkpoints_are_asked_by_name(ftrun: Ftrun, project: Path) -> None:
    """Each is the model of that step; one that does not exist is refused, with those that do."""
    edit(project, "eval:\n", "eval:\n  models: [tuned, ckpt-step-6]\n")
    ftrun.json(TOY)
    answers = {one["candidate"]: one for one in lines(project / RUN / "answers.jsonl")}
    assert answers["ckpt-step-6"]["model"].endswith(":ckpt-step-6")
    assert "6 steps" in answers["ckpt-step-6"]["answer"]
    edit(project, "ckpt-step-6", "ckpt-step-5")
    failed = ftrun.json(TOY, code=2)
    assert failed["error"]["code"] == "no_checkpoint" and "ckpt-step-6" in failed["error"]["hint"]


def test_a_model_at_another_target_answers_there(ftrun: Ftrun, project: Path) -> None:
    """The cache keeps the two apart."""
    edit(project, "data:\n", "  twin: {provider: local, model: rehearsal}\ntarget: local\ndata:\n")
    edit(project, "eval:\n", "eval:\n  models: [tuned, base, {name: far, target: twin, few_shot: 1}]\n")
    found = ftrun.json(TOY)
    assert found["metrics"]["far"]["asked"] == 2
    assert ("far", "one") in asked(project)


def test_before_after_kill_9_asks_only_for_the_rest(ftrun: Ftrun, project: Path) -> None:
    """Every answer that came is kept, and asked once."""
    prompts = "".join(f"    - {{id: q{number}, user: 質問{number}?}}\n" for number in range(60))
    edit(project, "  prompts:\n", f"  prompts:\n{prompts}")
    cache = project / RUN / "answers.cache.jsonl"
    process = ftrun.start("eval", TOY, "--before")
    wait_until(lambda: len(lines(cache)) > 5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process.wait()
    cut = len(lines(cache))
    assert cut < 3 * 62
    found = ftrun.json("eval", TOY, "--before")
    assert {one["answered"] for one in found["candidates"].values()} == {62}
    keys = [line["cache_key"] for line in lines(cache)]
    assert len(keys) == len(set(keys))


def test_what_before_asks_is_paid_for_within_the_budget(paid: Paid) -> None:
    """Not without consent, not over the budget, and the run after it pays for none of it again."""

    def chats() -> int:
        return paid.server.paths("POST").count("/chat/completions")

    paid.config.write_text(paid.config.read_text().replace("一番は？", "質問5を教えて"))
    refused = paid.json("eval", "toy.yaml", "--before", code=4)
    assert (refused["error"]["code"], chats()) == ("not_confirmed", 0)
    over = paid.json("eval", "toy.yaml", "--before", "--set", "budget.usd=0.000001", code=4)
    assert (over["error"]["code"], chats()) == ("over_budget", 0)
    paid.run("eval", "toy.yaml", "--before", "--set", "budget.usd=0.000001", code=4)
    assert "estimate: about US$0.00" in paid.error and "evaluation at most US$0.00" in paid.error
    found = paid.json("eval", "toy.yaml", "--before", "--yes")
    assert (set(found["candidates"]), chats()) == ({"base", "few-shot", "retrieval"}, 3)
    assert not paid.provider.jobs and not paid.provider.files
    three = ("--set", "eval.models=[tuned, base, few-shot, retrieval]")
    assert paid.json("toy.yaml", "--yes", *three)["status"] == "done"
    assert chats() == 4
    paid.json("eval", "toy.yaml", *three)
    assert chats() == 4


def test_before_needs_no_consent_for_what_this_machine_answers(paid: Paid) -> None:
    """Once the paid answers are there, a question to the engine alone costs nothing: nobody confirms."""
    paid.config.write_text(
        paid.config.read_text()
        .replace("data: {", "  local: {provider: local, model: rehearsal}\ntarget: paid\ndata: {")
        .replace("[tuned]", "[tuned, few-shot, retrieval]")
    )
    paid.json("eval", "toy.yaml", "--before", "--yes")
    asked = paid.server.paths("POST").count("/chat/completions")
    here = "eval.models=[tuned, few-shot, retrieval, {name: here, target: local, model: rehearsal}]"
    found = paid.json("eval", "toy.yaml", "--before", "--set", here)
    assert found["candidates"]["here"]["answered"] == 1
    assert paid.server.paths("POST").count("/chat/completions") == asked


def test_answers_asked_before_survive_a_fresh_clone(paid: Paid) -> None:
    """The history keeps them, as it keeps every answer that was paid for."""
    paid.config.write_text(paid.config.read_text().replace("一番は？", "質問5を教えて"))
    paid.json("eval", "toy.yaml", "--before", "--yes")
    run = paid.folder / "runs/toy/paid"
    for path in run.iterdir():
        if path.is_file() and path.name not in ("state.json", "ledger.jsonl"):
            path.unlink()
    paid.json("eval", "toy.yaml", "--before")
    assert paid.server.paths("POST").count("/chat/completions") == 3
