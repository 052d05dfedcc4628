"""All sets of questions, and general rows in training, from the experiment file to the scores."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from conftest import CONFIG, Ftrun

SETS = CONFIG.replace(
    "split: {validation: 2, seed: 1}", "split: {validation: 2, test: 3, seed: 1}\n  replay: 0.2"
) + (
    "    - {id: known, user: 質問1は何ですか？}\n"
    "  test_set: true\n  recall_sample: 2\n"
    "  general:\n    - {id: sky, user: 空は何色？, expect: {contains: rehearsal}}\n"
)


@pytest.fixture
def sets(project: Path) -> Path:
    """Return the project with an experiment that asks of every set, about 30 rows."""
    rows = "".join(f"質問{number}は何ですか？,答え{number}です。\n" for number in range(30))
    (project / "configs/data/toy.csv").write_text("q,a\n" + rows, encoding="utf-8")
    (project / "configs/toy.yaml").write_text(SETS, encoding="utf-8")
    return project


def test_check_and_plan_count_the_questions(sets: Path, ftrun: Ftrun) -> None:
    """How many of each set, before anything is trained; in words and as JSON."""
    checked = ftrun.json("check", "configs/toy.yaml")
    assert checked["questions"] == {"prompts": 2, "test": 3, "recall": 3, "general": 1}
    assert {one["code"] for one in checked["notes"]} >= {"replay", "recall"}
    counts = "eval prompts 2, test split 3, training data 3, general 1"
    for command in ("check", "plan"):
        assert f"questions for each candidate: {counts}" in ftrun(command, "configs/toy.yaml").stdout
    said = ftrun("check", "configs/toy.yaml", env={"FTRUN_LANG": "ja"}).stdout
    assert "学習ファイルに混ぜた一般データ: 6" in said and "一般的な質問 1 件" in said


def test_data_shows_general_rows_as_what_they_are(sets: Path, ftrun: Ftrun) -> None:
    """Their place is the file that ships, and their example has no system prompt."""
    shown = ftrun.json("data", "configs/toy.yaml", "--show", "99")["examples"]
    general = [one for one in shown if one.get("general")]
    assert len(shown) == 31 and len(general) == 6
    assert all(one["file"].startswith("ftrun:replay-") for one in general)
    assert all(one["turns"][0]["role"] == "user" for one in general)
    assert "· general row ·" in ftrun("data", "configs/toy.yaml", "--show", "99").stdout


def test_every_set_is_asked_and_scored_apart(sets: Path, ftrun: Ftrun) -> None:
    """The main metrics are of prompts and test split; recall and general are metrics of their own."""
    assert ftrun("run", "configs/toy.yaml").returncode == 0
    run = sets / "runs/toy/local"
    answers = [json.loads(line) for line in (run / "answers.jsonl").read_text("utf-8").splitlines()]
    assert Counter(one.get("set", "prompts") for one in answers) == {
        "prompts": 4,
        "test": 6,
        "recall": 6,
        "general": 2,
    }
    of_general = next(one for one in answers if one.get("set") == "general")
    assert [one["role"] for one in of_general["messages"]] == ["user"]
    metrics = json.loads((run / "scores.json").read_text("utf-8"))["candidates"]["tuned"]["metrics"]
    assert (metrics["general"]["n"], metrics["recall"]["n"], metrics["pass_rate"]["n"]) == (1, 2, 2)
    again = ftrun.json("run", "configs/toy.yaml")
    assert {one["action"] for one in again["stages"].values()} == {"skip"}
    without = ftrun.json("plan", "configs/toy.yaml", "--set", "data.replay=0")
    assert next(one for one in without["steps"] if one["stage"] == "prepare")["action"] == "run"


def test_a_test_split_that_can_not_be_asked_stops_the_run_first(sets: Path, ftrun: Ftrun) -> None:
    """Exit 2 with the place, before anything is uploaded or trained."""
    picture = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    row = {"messages": [{"role": "user", "content": picture}, {"role": "assistant", "content": "a cat"}]}
    chat = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    (sets / "configs/data/pictures.jsonl").write_text(json.dumps(row) + "\n")
    rows = (
        json.dumps({"messages": [{"role": "user", "content": f"q{one}"}, chat["messages"][1]]})
        for one in range(12)
    )
    (sets / "configs/data/chats.jsonl").write_text("\n".join(rows) + "\n")
    (sets / "configs/toy.yaml").write_text(
        "version: 1\nname: toy\ntargets: {local: {provider: local, model: rehearsal}}\n"
        "data:\n  sources: [{path: data/chats.jsonl}]\n  split: {test: [{path: data/pictures.jsonl}]}\n"
        "eval: {test_set: true}\n"
    )
    for command in ("plan", "run"):
        done = ftrun(command, "configs/toy.yaml")
        assert done.returncode == 2
        assert "configs/toy.yaml:7:18: eval.test_set: none of 1 row of the test split" in done.stderr
    assert not json.loads((sets / "runs/toy/local/state.json").read_text("utf-8"))["uploads"]
