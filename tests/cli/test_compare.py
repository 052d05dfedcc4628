"""`ftrun compare`: models of a history, of targets, of experiments; judged by one ruler, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ftrun.runner.trained_models import trained_models_of
from support.paid_project import Paid

NASTY = "</script><script>alert(1)</script> | \x1b[31m **b** \u202e 猫"


@pytest.fixture
def two(paid: Paid) -> Paid:
    """Return a project with two models in its history: the second alone passes `second`."""
    paid.config.write_text(
        paid.config.read_text(encoding="utf-8").split("eval:")[0]
        + "eval:\n  models: [tuned, base]\n  prompts:\n"
        "    - {id: second, user: どちら？, expect: {contains: ftjob-2}}\n"
        "    - {id: any, user: 何か言って, expect: {contains: です}}\n"
        "    - {id: read, user: 読むだけ}\n",
        encoding="utf-8",
    )
    for epochs in (1, 2):
        paid.run("run", paid.config, "--yes", "--set", f"train.hyperparameters.n_epochs={epochs}")
    return paid


def key_of(project: Paid, number: int) -> str:
    """Return the short key of a model of the history, counted from 0."""
    return str(project.json("history", project.config)["models"][number]["spec_key"])[:8]


def test_one_experiment_stands_for_its_history(two: Paid) -> None:
    """Both models are there with what differs, their answers by letter, and where they fall apart.

    No server is needed.
    """
    two.server.close()
    found = two.json("compare", str(two.config))
    assert [entry["job_id"] for entry in found["entries"]] == ["ftjob-1", "ftjob-2"]
    assert found["differences"] == {"n_epochs": ["1", "2"]}
    assert found["same"]["model"] == "m"
    assert found["same"]["training examples"] == "12"
    said = {(one["prompt_id"], one["candidate"]): (one["answer"], one["passed"]) for one in found["answers"]}
    assert said["second", "A"] == ("ft:m:ftjob-1 です", False)
    assert said["second", "B"] == ("ft:m:ftjob-2 です", True)
    assert said["read", "B"] == ("ft:m:ftjob-2 です", None)
    assert [entry["score"]["passed"] for entry in found["entries"]] == [1, 2]
    pair = found["pairs"][0]
    assert {name: pair[name] for name in ("judged", "both", "better", "worse", "neither", "p")} == {
        **{"judged": 2, "both": 1, "better": 1, "worse": 0, "neither": 0, "p": 1.0}
    }
    assert found["notes"] == []
    (compared,) = (one for one in found["comparisons"] if one["metric"] == found["metric"] == "pass_rate")
    assert (compared["a"], compared["b"], compared["n"]) == ("B", "A", 2)
    assert compared["difference"] == 0.5 and compared["low"] is None and compared["p"] is None
    assert compared["flips"] == {"fixed": ["second"], "broken": [], "same": 1}
    assert found["candidates"]["A"]["metrics"]["pass_rate"]["value"] == 0.5


def test_people_read_the_same(two: Paid) -> None:
    """The terminal names the entries as one can type them, and says what so few questions are worth."""
    said = two.run("compare", f"toy.yaml#{key_of(two, 1)}", "toy.yaml#ftjob-1")
    assert f"A  toy.yaml@paid#{key_of(two, 1)}\n" in said
    assert "  n_epochs\n    A  2\n    B  1\n" in said
    assert "[second] どちら？\n  ✓ A: ft:m:ftjob-2 です\n  ✗ B: ft:m:ftjob-1 です\n" in said
    assert "B passes 0 that A fails, and fails 1 that it passes; 1 has the same result." in said
    assert "Too few questions to tell B and A apart." in said
    assert "100% (too few" in said and "50% (too few" in said


def test_the_history_says_how_to_compare(two: Paid) -> None:
    """`history` shows the keys and the command."""
    said = two.run("history", two.config)
    assert f"#{key_of(two, 0)}  ftjob-1" in said
    assert "compare toy.yaml@paid\n" in said


def other_experiment(project: Paid, old: str, new: str) -> None:
    """Run another experiment, other.yaml, with `new` for `old` in its file: a job of its own."""
    text = project.config.read_text(encoding="utf-8").replace("name: toy", "name: other").replace(old, new)
    other = project.folder / "other.yaml"
    other.write_text(text, encoding="utf-8")
    project.run("run", other, "--yes", "--set", "train.seed=7")


def test_everybody_is_judged_by_one_ruler(two: Paid) -> None:
    """Where two experiments expect different things the first one's expectation judges both."""
    other_experiment(two, "contains: ftjob-2", "contains: ftjob-3")
    found = two.json("compare", "toy.yaml#ftjob-2", "other.yaml")
    verdicts = {one["candidate"]: one["passed"] for one in found["answers"] if one["prompt_id"] == "second"}
    assert verdicts == {"A": True, "B": False}
    assert "expectations differ, so the first one was used for all: second" in found["notes"]


def test_only_the_same_question_is_compared(two: Paid) -> None:
    """One id with another question is another question: it is left out, and that is said."""
    other_experiment(two, "どちら？", "どっち？")
    found = two.json("compare", "toy.yaml", "other.yaml")
    assert {one["prompt_id"] for one in found["answers"]} == {"any", "read"}
    assert "2 questions that only one of them answered: left out" in found["notes"]


def test_what_can_not_be_compared_is_explained(two: Paid) -> None:
    """Exit code 2, and what there is instead."""
    for words, code, hint in (
        (["toy.yaml#ftjob-2"], "nothing_to_compare", "CONFIG@TARGET"),
        (["toy.yaml", "toy.yaml#ftjob-2"], "nothing_to_compare", "another experiment"),
        (["toy.yaml", "toy.yaml#nope"], "unknown_model", "It has #"),
        (["toy.yaml", "toy.yaml#"], "unknown_model", "It has #"),
        (["toy.yaml", "toy.yaml@elsewhere"], "unknown_target", ""),
        (["toy.yaml", "gone.yaml"], "no_such_file", ""),
    ):
        error = two.json("compare", *words, code=2)["error"]
        assert error["code"] == code
        assert hint in (error["hint"] or "")


def test_an_experiment_without_a_model_is_named(paid: Paid) -> None:
    """Nothing was trained yet: the error says how to train it."""
    error = paid.json("compare", str(paid.config), code=2)["error"]
    assert error["code"] == "no_model"
    assert "ftrun run" in error["hint"]


def test_a_file_may_be_called_like_an_entry(two: Paid) -> None:
    """A name with @ or # in it is a file where there is one."""
    two.config.rename(two.folder / "toy@home#2.yaml")
    found = trained_models_of(["toy@home#2.yaml"], None)
    assert [entry.facts["job_id"] for entry in found] == ["ftjob-1", "ftjob-2"]
    assert trained_models_of(["toy@home#2.yaml@paid#ftjob-1", "toy@home#2.yaml"], None)[0].name.startswith(
        "toy@home"
    )


def test_page_and_markdown_tell_it_too(two: Paid) -> None:
    """Both hold settings, answers and the sentence; foreign text stays text."""
    for answers in two.folder.rglob("history/*/answers.jsonl"):
        lines = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
        text = "".join(json.dumps(_said(line, NASTY)) + "\n" for line in lines)
        answers.write_text(text, encoding="utf-8")
    config = two.folder / "toy.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "report: {language: en}\n", encoding="utf-8")
    two.run("compare", "toy.yaml", "--html", "c.html", "--markdown", "c.md")
    page = (two.folder / "c.html").read_text(encoding="utf-8")
    markdown = (two.folder / "c.md").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "\x1b" not in page + markdown
    assert "&lt;/script&gt;" in page
    assert "default-src &#39;none&#39;" in page
    for text in (page, markdown):
        assert "Too few questions to tell B and A apart." in text
        assert "Wrong with A, right with B:" in text
        assert "ftjob-2" in text
    assert "| n\\_epochs | 1 | 2 |" in markdown
    tables = [block.splitlines() for block in markdown.split("\n\n") if block.startswith("|")]
    assert all(len({line.count("|") for line in lines}) == 1 for lines in tables)


def test_three_models_are_compared_by_the_files_scorers(paid: Paid) -> None:
    """Everyone is compared with A by the metric of the file, adjusted for two comparisons; each pair's
    changed questions are listed.
    """
    prompts = "".join(
        f"    - {{id: q{n:02}, user: 問い{n}, reference: 'ft:m:ftjob-{1 + n % 3} です'}}\n" for n in range(24)
    )
    text = paid.config.read_text(encoding="utf-8").split("eval:")[0]
    scored = "  metric: exact_match\n  scorers: [exact_match, chrf]\n"
    paid.config.write_text(f"{text}eval:\n  models: [tuned]\n{scored}  prompts:\n{prompts}", encoding="utf-8")
    paid.add("report: {language: en}\n")
    for epochs in (1, 2, 3):
        paid.run("run", paid.config, "--yes", "--set", f"train.hyperparameters.n_epochs={epochs}")
    found = paid.json("compare", paid.config)
    assert found["metric"] == "exact_match" and found["pairs"] == []
    assert {one["metrics"]["exact_match"]["value"] for one in found["candidates"].values()} == {1 / 3}
    assert all("chrf" in one["metrics"] for one in found["candidates"].values())
    compared = [one for one in found["comparisons"] if one["metric"] == "exact_match"]
    assert [(one["a"], one["b"], one["n"], one["difference"]) for one in compared] == [
        ("B", "A", 24, 0.0),
        ("C", "A", 24, 0.0),
    ]
    assert all(one["low"] < 0 < one["high"] and one["p"] == 1 and one["detectable"] > 0 for one in compared)
    assert compared[0]["flips"]["fixed"] == [f"q{n:02}" for n in range(1, 24, 3)]
    assert compared[0]["flips"]["broken"] == [f"q{n:02}" for n in range(0, 24, 3)]
    said = paid.run("compare", paid.config)
    assert "Wrong with A, right with C: q02, q05" in said and "Right with A, wrong with C: q00" in said
    paid.run("compare", paid.config, "--html", "c.html", "--markdown", "c.md")
    for name in ("c.html", "c.md"):
        assert "No significant difference between C and A" in (paid.folder / name).read_text(encoding="utf-8")


def _said(line: dict[str, Any], text: str) -> dict[str, Any]:
    return {**line, "answer": line["answer"] + text}
