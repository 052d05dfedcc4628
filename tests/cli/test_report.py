"""`ftrun report CONFIG`: the verdict and the report of what is there, without asking anybody."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from conftest import Ftrun

EXPERIMENT = """\
version: 1
name: shop
report: {language: en}
eval:
  models: [{name: new, answers: new.jsonl}, {name: base, answers: old.jsonl}]
  prompts: [{path: questions.jsonl}]
"""
QUESTIONS = 30


@pytest.fixture
def shop(tmp_path: Path) -> Ftrun:
    """An experiment of recorded answers alone: the new model is right, the old one hardly ever."""
    folder = tmp_path / "configs"
    folder.mkdir(exist_ok=True)
    (folder / "shop.yaml").write_text(EXPERIMENT, encoding="utf-8")
    rows: dict[str, list[Mapping[str, object]]] = {"questions": [], "new": [], "old": []}
    for number in range(QUESTIONS):
        question = {"id": f"q{number}", "user": f"Question {number}?", "expect": {"contains": "yes"}}
        rows["questions"].append(question)
        rows["new"].append({"prompt_id": f"q{number}", "answer": "yes"})
        rows["old"].append({"prompt_id": f"q{number}", "answer": "no" if number else "yes"})
    for name, lines in rows.items():
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return Ftrun(tmp_path)


def test_before_anything_was_done_there_is_nothing_to_report(shop: Ftrun) -> None:
    """One message that names the experiment and the command, exit 2, and no file."""
    document = shop.json("report", "configs/shop.yaml", code=2)
    assert document["error"]["code"] == "nothing_to_report"
    assert "shop on local has nothing to report yet" in document["error"]["message"]
    assert "ftrun run configs/shop.yaml" in document["error"]["hint"]
    assert not (shop.folder / "runs").exists()


def test_an_evaluation_without_training_has_a_report(shop: Ftrun) -> None:
    """The run prints the verdict first and writes the report; the command does so again."""
    done = shop("configs/shop.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("✓ ship it\n")
    run = shop.folder / "runs/shop/local"
    before = (run / "report.md").read_text("utf-8")
    assert "new passes 30 of 30 questions" in before and "## Training" not in before
    (run / "report.html").unlink()
    again = shop("report", "configs/shop.yaml")
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("shop on local")
    assert done.stdout.split("\n\nNext")[0] in again.stdout
    assert (run / "report.html").exists() and (run / "report.md").read_text("utf-8") == before
    assert "runs/shop/local/report.html" in again.stdout


def test_the_report_can_go_elsewhere(shop: Ftrun) -> None:
    """--html writes a page where it is told to, --markdown prints it for git, --json prints the scores."""
    shop.json("configs/shop.yaml")
    run = shop.folder / "runs/shop/local"
    kept = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert shop("report", "configs/shop.yaml", "--html", "page.html").returncode == 0
    assert (shop.folder / "page.html").read_bytes() == (run / "report.html").read_bytes()
    printed = shop("report", "configs/shop.yaml", "--markdown")
    assert printed.stdout == (run / "report.md").read_text("utf-8")
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == kept
    document = shop.json("report", "configs/shop.yaml")
    assert document["verdict"]["decision"] == "ship"
    assert (document["status"], document["fit"]) == ("done", None)
    assert document["report"].endswith("report.html")
    assert document["candidates"]["new"]["metrics"]["pass_rate"]["n"] == QUESTIONS


def test_markdown_is_in_the_reports_language_whoever_reads_the_screen(shop: Ftrun) -> None:
    """What is meant for git doesn't follow the environment; the screen does."""
    shop.json("configs/shop.yaml")
    japanese = {"FTRUN_LANG": "ja"}
    printed = shop("report", "configs/shop.yaml", "--markdown", env=japanese)
    assert printed.stdout == (shop.folder / "runs/shop/local/report.md").read_text("utf-8")
    assert "✓ 採用できます" in shop("report", "configs/shop.yaml", env=japanese).stdout


def test_a_rehearsal_has_no_verdict(ftrun: Ftrun) -> None:
    """Made-up answers are not judged: neither the run nor the report speaks of help."""
    done = ftrun("configs/toy.yaml")
    for text in (done.stdout, ftrun("report", "configs/toy.yaml").stdout):
        assert "A rehearsal: every stage ran, but nothing was trained." in text
        assert "ship it" not in text and "It helped" not in text


def test_what_is_there_is_reported_before_the_end(ftrun: Ftrun) -> None:
    """After a run that ended early the report says so, and has what was found by then."""
    ftrun("configs/toy.yaml", "--until", "check")
    english = ("--set", "report.language=en")
    document = ftrun.json("report", "configs/toy.yaml", "--html", "early.html", *english)
    assert document["status"] == "pending" and document["candidates"] == {}
    page = (ftrun.folder / "early.html").read_text("utf-8")
    assert "The run did not finish: pending." in page
    assert "Examples and tokens per example" in page


def test_a_report_is_the_same_at_another_store(ftrun: Ftrun, tmp_path: Path) -> None:
    """In a clone on another machine the job is not there, but what was found stays true."""
    ftrun.json("configs/toy.yaml")
    report = ftrun.folder / "runs/toy/local/report.md"
    before = report.read_bytes()
    elsewhere = {"FTRUN_HOME": str(tmp_path / "another")}
    document = ftrun.json("report", "configs/toy.yaml", env=elsewhere)
    assert document["status"] == "done"
    assert report.read_bytes() == before


def test_a_report_that_says_more_stays(ftrun: Ftrun) -> None:
    """Where answers are lost, the report in git is not replaced by one that says less."""
    ftrun.json("configs/toy.yaml")
    run = ftrun.folder / "runs/toy/local"
    before = (run / "report.md").read_bytes()
    (run / "answers.jsonl").unlink()
    shutil.rmtree(run / "history", ignore_errors=True)
    done = ftrun("report", "configs/toy.yaml")
    assert done.returncode == 0
    assert "report.md stays as it is" in done.stderr
    assert (run / "report.md").read_bytes() == before
