"""Files of version 0.1, which say `rival` for candidate, are read as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from conftest import Ftrun
from ftrun.evaluation.answers import Candidate, cache_key
from ftrun.evaluation.cache import AnswerCache, read_records
from ftrun.evaluation.results import Scores
from ftrun.scoring.types import Sample

GOLDEN = Path(__file__).parent / "golden"
OLD_WORDS = {b'"candidate"': b'"rival"', b'"candidates"': b'"rivals"'}


def test_answers_of_version_0_1_are_read() -> None:
    """Every line is an answer of its candidate, and is written with the new key."""
    records = read_records(GOLDEN / "answers-0.1.jsonl")
    assert [(one.prompt_id, one.candidate) for one in records] == [
        ("名前", "tuned"),
        ("名前", "base"),
        ("朝食", "tuned"),
        ("朝食", "base"),
    ]
    assert list(records[0].as_dict())[:2] == ["prompt_id", "candidate"]


def test_answers_of_version_0_1_are_found_again(tmp_path: Path) -> None:
    """What was paid for then isn't asked for again."""
    (tmp_path / "answers.cache.jsonl").write_bytes((GOLDEN / "answers-0.1.jsonl").read_bytes())
    turns = ({"role": "user", "content": "お名前は何ですか"},)
    asked = Sample(id="名前", turns=turns, system="あなたは旅館の案内係です。")
    tuned = Candidate(name="tuned", model="ft:gemma-3-270m:inn:Ab12")
    key = cache_key(tuned, asked.messages, {"temperature": 0, "max_tokens": 64, "seed": 42})
    assert AnswerCache(tmp_path).records[key].answer == "ひろゆきです。"


def test_scores_of_version_0_1_are_read() -> None:
    """scores.json says the same as counting the answers again."""
    found = Scores.from_dict(json.loads((GOLDEN / "scores-0.1.json").read_bytes()))
    records = read_records(GOLDEN / "answers-0.1.jsonl")
    for name, one in found.plain_metrics.items():
        passed = [record.passed for record in records if record.candidate == name]
        assert (one["passed"], one["judged"]) == (passed.count(True), len(passed) - passed.count(None))


def test_a_finished_experiment_of_version_0_1_has_nothing_to_do(ftrun: Ftrun) -> None:
    """The files may have the old word everywhere, and scores.json passes alone: a run does nothing, and a new
    report has the passes.
    """
    ftrun.json("configs/toy.yaml")
    run = ftrun.folder / "runs/toy/local"
    passes = {"asked": 2, "judged": 2, "pass_rate": 0.5, "passed": 1}
    scores = json.dumps({"candidates": {"base": passes, "tuned": passes}, "flips": []}).encode()
    for path in (run / "scores.json", *run.glob("history/*/scores.json")):
        path.write_bytes(scores)
    files = [
        *(run / name for name in ("answers.jsonl", "answers.cache.jsonl", "scores.json")),
        *run.glob("history/*/*.json*"),
    ]
    before = {path: old_words(path) for path in files}
    assert sum(b'"rival' in text for text in before.values()) == 5
    assert json.loads((run / "state.json").read_bytes())["stages"]["evaluate"]["inputs"].keys() >= {"rivals"}
    plan = ftrun.json("plan", "configs/toy.yaml")
    assert {step["action"] for step in plan["steps"]} == {"skip"}
    ftrun.json("configs/toy.yaml")
    assert {path: path.read_bytes() for path in files} == before
    ftrun.json("configs/toy.yaml", "--force", "report")
    assert "一番は？" in (run / "report.md").read_text(encoding="utf-8")


def test_the_fingerprint_of_an_evaluation_stays_as_it_is(ftrun: Ftrun) -> None:
    """What an earlier version finished has nothing to do: never edit this value. New keys change it only
    where they are set.
    """
    state = ftrun.folder / "runs/toy/local/state.json"
    ftrun.json("configs/toy.yaml")
    found = json.loads(state.read_bytes())["stages"]["evaluate"]["fingerprint"]
    assert found == "a0d0b037c2c9779d88a0e3750e73fae5473f5b1f360e2e6fec72e8237c4589bc"
    ftrun.json("configs/toy.yaml", "--set", "eval.repeat=2")
    assert json.loads(state.read_bytes())["stages"]["evaluate"]["fingerprint"] != found


def old_words(path: Path) -> bytes:
    """Put the words of version 0.1 into a file, and return what it holds now."""
    keys = re.compile(b"|".join(OLD_WORDS))
    text = keys.sub(lambda found: OLD_WORDS[found[0]], path.read_bytes())
    path.write_bytes(text)
    return text
