"""Files of version 0.1, which say `rival` for candidate, are read as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun
from ftrun.evaluation.answer_files import AnswerCache, read_records
from ftrun.evaluation.answers import Candidate, cache_key
from ftrun.evaluation.results import Estimate, Flips
from ftrun.evaluation.scores_document import read_scores
from ftrun.evaluation.verdict.deciding import headline
from ftrun.scoring.types import Sample
from support.evaluations import scores_of, some

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


@pytest.mark.parametrize("file", ["scores-0.1.json", "scores-0.2.json"])
def test_scores_of_before_comparisons_are_read(file: str) -> None:
    """Pass rates get their intervals, and the flips become a comparison; the tuned model is the subject."""
    found = read_scores(json.loads((GOLDEN / file).read_bytes()))
    assert list(found.candidates) == ["tuned", "base"]
    tuned = found.candidates["tuned"]
    assert tuned.metrics["pass_rate"] == Estimate(value=1.0, n=2)
    assert tuned.metrics["recall"] == tuned.parts["recall"]["pass_rate"] == Estimate(value=1.0, n=1)
    assert tuned.parts["unseen"]["pass_rate"].n == 1
    assert (tuned.answered, found.metric) == (2, "pass_rate")
    (comparison,) = found.comparisons
    assert (comparison.a, comparison.b, comparison.difference, comparison.n) == ("tuned", "base", 1, 2)
    assert comparison.flips == Flips(fixed=("名前", "朝食"), broken=(), same=0)
    assert headline(found) == "Only a hint, from 2 questions: tuned passes 2 of 2 questions, base 0."
    assert read_scores(found.as_dict()) == found


def test_older_pass_rates_of_enough_questions_have_intervals_and_p() -> None:
    """They are those that a new evaluation has."""
    new = scores_of({"tuned": some(30, 40), "base": some(20, 40)})
    flips = new.comparison("base")
    assert flips is not None
    assert flips.flips is not None
    rates = {"tuned": 30, "base": 20}
    document: dict[str, Any] = {
        "candidates": {
            name: {"pass_rate": passed / 40, "passed": passed, "judged": 40, "asked": 40}
            for name, passed in rates.items()
        },
        "flips": [{"prompt_id": one, "change": "fixed"} for one in flips.flips.fixed],
    }
    old = read_scores(document)
    assert old.candidates["base"].metrics["pass_rate"] == new.candidates["base"].metrics["pass_rate"]
    assert old.comparison("base") == flips
    assert old.plain_metrics["base"] == document["candidates"]["base"]


def test_older_scores_without_judged_questions_have_nothing() -> None:
    """Neither a rate nor a comparison, and no error."""
    values = {"pass_rate": None, "passed": 0, "judged": 0, "asked": 3}
    found = read_scores({"candidates": {"tuned": values, "base": values}, "flips": []})
    assert (found.metric, found.comparisons, found.candidates["tuned"].metrics) == (None, (), {})


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
