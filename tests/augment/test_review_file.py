"""The review file: a person's, git's and ftrun's; nothing is data before it is approved in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ftrun.augment.entries import ReviewEntry, SourceRow
from ftrun.augment.review_file import ReviewFile, yaml_line
from ftrun.augment.row_texts import row_texts_of
from ftrun.data.types import MARK
from ftrun.errors import DataError, DecisionError, UsageError
from ftrun.experiment.model import Experiment

from .conftest import CONFIG, Build

Make = Callable[[], ReviewFile]


def entry(
    name: str, question: str = "新しい質問？", answer: str = "答え。", kind: str = "paraphrase"
) -> ReviewEntry:
    """Return an entry that waits."""
    return ReviewEntry(
        id=name,
        status="pending",
        kind=kind,
        old={"q": "質問？", "a": "答え。"},
        new={"q": question, "a": answer},
        rest={"topic": "x"},
        origin=(SourceRow(file="rows.csv", line=2, digest="d" * 32),),
    )


def review_of(experiment: Experiment) -> ReviewFile:
    """Return the review file of an experiment."""
    return ReviewFile(experiment, row_texts_of(experiment), experiment.project / "runs" / "toy")


@pytest.fixture
def review(build: Build) -> ReviewFile:
    """Return a review file with two entries."""
    made = review_of(build())
    made.add([entry("one"), entry("two", answer="", kind="failure")])
    return made


def test_only_approved_rows_reach_the_training_file(review: ReviewFile) -> None:
    """It appears with the first approved row, holds its mark and other columns, and goes with the last."""
    assert not review.training.exists()
    review.decide(["one"], "approved")
    [row] = map(json.loads, review.training.read_text(encoding="utf-8").splitlines())
    assert row == {"q": "新しい質問？", "a": "答え。", "topic": "x", MARK: {"id": "one", "seed": "d" * 32}}
    review.decide(["one"], "rejected")
    assert not review.training.exists()


def test_a_row_without_its_answer_is_not_approved(review: ReviewFile) -> None:
    """Neither by a command nor by hand; nothing changes then."""
    before = review.path.read_bytes()
    with pytest.raises(DataError, match="two has no a yet"):
        review.decide(["one", "two"], "approved")
    assert review.path.read_bytes() == before
    review.path.write_text(before.decode().replace('"pending", "id": "two"', '"approved", "id": "two"'))
    with pytest.raises(DataError, match="two has no a yet"):
        review.write_training_file()
    assert not review.training.exists()


def test_what_a_person_edited_by_hand_counts(review: ReviewFile) -> None:
    """Status and texts may be written in an editor; the next command takes them over."""
    text = review.path.read_text(encoding="utf-8")
    text = text.replace('"pending", "id": "one"', '"approved", "id": "one"').replace(
        "新しい質問？", "直した質問？"
    )
    review.path.write_text(text, encoding="utf-8")
    assert review.write_training_file() == 1
    assert "直した質問？" in review.training.read_text(encoding="utf-8")


def test_what_was_proposed_before_is_not_proposed_again(review: ReviewFile) -> None:
    """An entry keeps the status and texts that a person gave it."""
    review.decide(["one"], "rejected")
    assert review.add([entry("one"), entry("three")]) == [entry("three")]
    assert [one.status for one in review.entries()] == ["rejected", "pending", "pending"]


def test_the_file_is_one_readable_line_an_entry(review: ReviewFile) -> None:
    """Status first, Japanese as Japanese: a change of one row is a change of one line in git."""
    lines = review.path.read_text(encoding="utf-8").splitlines()
    assert [line[:35] for line in lines] == [
        '{"status": "pending", "id": "one", ',
        '{"status": "pending", "id": "two", ',
    ]
    review.decide(["two"], "rejected")
    assert review.path.read_text(encoding="utf-8").splitlines()[0] == lines[0]


@pytest.mark.parametrize(
    "line",
    ["no json", "[]", "{}", '{"status": "yes"}', '{"status": "pending", "nmae": 1}', "[" * 5000, "null", "1"],
)
def test_a_damaged_file_is_told_with_its_line_and_kept(review: ReviewFile, line: str) -> None:
    """A merge conflict or a slip of the hand loses nobody's decisions."""
    text = review.path.read_text(encoding="utf-8") + line + "\n"
    review.path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        review.decide(["one"], "approved")
    assert (caught.value.problem.file, caught.value.problem.line) == (
        "rows.augmented.review.jsonl".replace("rows", "toy"),
        3,
    )
    assert review.path.read_text(encoding="utf-8") == text


def test_a_row_that_somebody_changed_meanwhile_is_not_overwritten(review: ReviewFile) -> None:
    """The page saves only over the version that it showed."""
    shown = review.entries()[0].version
    review.decide(["one"], "rejected")
    with pytest.raises(DecisionError, match="in the meantime"):
        review.save("one", shown, "approved", {"q": "x", "a": "y"})
    with pytest.raises(UsageError, match="not those of this row"):
        review.save("one", review.entries()[0].version, "approved", {"q": "x"})
    saved = review.save("one", review.entries()[0].version, "approved", {"q": "x", "a": "y"})
    assert (saved.status, saved.new["q"]) == ("approved", "x")


def test_somebodys_own_file_is_not_overwritten(build: Build, tmp_path: Path) -> None:
    """Only a file whose every row ftrun wrote is replaced; none outside the project is written."""
    (tmp_path / "own.jsonl").write_text('{"q": "mine"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="rows that ftrun did not write"):
        review_of(build(sets=("data.augment.path=own.jsonl",)))
    with pytest.raises(UsageError, match="outside the project"):
        review_of(build(sets=("data.augment.path=../own.jsonl",)))


def test_the_line_for_the_experiment_is_told_until_it_is_there(build: Build, review: ReviewFile) -> None:
    """It is relative to the experiment file; a glob that takes the file in counts, and takes nothing else."""
    review.decide(["one"], "approved")
    assert yaml_line(build(), review.training) == "- {path: toy.augmented.jsonl}"
    with_it = build(CONFIG.replace("rows.csv}", "rows.csv}, {path: '*.jsonl'}"))
    assert yaml_line(with_it, review.training) is None
    from ftrun.data import source_files

    assert [file.path.name for file in source_files(with_it)] == ["rows.csv", "toy.augmented.jsonl"]


@pytest.mark.parametrize("name", ["toy.augmented.jsonl", "toy.augmented.review.jsonl"])
def test_no_link_is_taken_for_one_of_the_files(build: Build, tmp_path: Path, name: str) -> None:
    """A link in place of review or training file is refused and named, also one that stays in the project."""
    experiment = build()
    for target in (tmp_path / "mine.jsonl", tmp_path.parent / "elsewhere"):
        path = tmp_path / name
        path.symlink_to(target)
        with pytest.raises(DecisionError, match="symbolic link") as caught:
            ReviewFile(experiment, row_texts_of(experiment), tmp_path / "runs")
        assert caught.value.problem.file == str(path)
        path.unlink()
