"""Files of version 0.1, which say `rival` for candidate, are read as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from conftest import Ftrun
from ftrun.evaluation.answers import Candidate, cache_key
from ftrun.evaluation.cache import AnswerCache, read_records
from ftrun.evaluation.scores import Scores, score
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
    counted = score(read_records(GOLDEN / "answers-0.1.jsonl"))
    assert (dict(found.candidates), found.flips) == (counted.candidates, counted.flips)
    assert Scores.from_dict(counted.as_dict()) == counted


def test_a_finished_experiment_of_version_0_1_has_nothing_to_do(ftrun: Ftrun) -> None:
    """The files may have the old word everywhere: a run does nothing, and a new report says the same."""
    ftrun.json("configs/toy.yaml")
    run = ftrun.folder / "runs/toy/local"
    report = (run / "report.md").read_bytes()
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
    assert (run / "report.md").read_bytes() == report


def old_words(path: Path) -> bytes:
    """Put the words of version 0.1 into a file, and return what it holds now."""
    keys = re.compile(b"|".join(OLD_WORDS))
    text = keys.sub(lambda found: OLD_WORDS[found[0]], path.read_bytes())
    path.write_bytes(text)
    return text
