"""How `ftrun init` drafts the evaluation: what is asked of whom, and what the verdict rests on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.cli import main
from ftrun.experiment.model import Experiment

from .drafting import ENGLISH, JAPANESE, init, load, write_chats, write_csv

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
TEXTS = ("It arrived broken and late.", "A lovely thing and well made.", "It does what it says.")


def call(city: str) -> dict[str, Any]:
    """Return an assistant's message that calls a function."""
    function = {"name": "weather", "arguments": json.dumps({"city": city})}
    return {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": function}]}


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def labelled(number: int) -> list[list[str]]:
    """Return so many rows of a text and its label."""
    return [[f"{TEXTS[n % 3]} Order {n}.", ("bad", "good", "fine")[n % 3]] for n in range(number)]


def user(text: str) -> dict[str, str]:
    """Return a user's message."""
    return {"role": "user", "content": text}


def write(kind: str) -> str:
    """Write a data file of some kind into the current folder and return its name."""
    rows: list[dict[str, Any]] = []
    if kind == "labels":
        write_csv(Path("labels.csv"), ["text", "label"], labelled(120))
        return "labels.csv"
    if kind == "json":
        rows = [
            {"question": f"Anna has {n} cats", "answer": json.dumps({"name": "Anna", "cats": n})}
            for n in range(40)
        ]
    elif kind == "chats":
        write_chats(Path("chats.jsonl"), JAPANESE, system=None)
        return "chats.jsonl"
    elif kind == "tools":
        rows = [
            {"messages": [user(f"Is it wet in town {n}?"), call(f"town {n}")], "tools": [WEATHER]}
            for n in range(30)
        ]
    elif kind == "preferences":
        rows = [
            {"prompt": f"Say number {n}", "chosen": f"The number {n}.", "rejected": "No."} for n in range(30)
        ]
    elif kind == "grader":
        rows = [{"messages": [user(f"What is {n} + 1?")], "answer": str(n + 1)} for n in range(30)]
    else:
        write_csv(Path("table.csv"), ["question", "answer"], ENGLISH)
        return "table.csv"
    write_rows(Path(f"{kind}.jsonl"), rows)
    return f"{kind}.jsonl"


DRAFTED = {
    # kind: metric, scorers, candidates
    "table": ("chrf", [], ("tuned", "base", "few-shot")),
    "chats": ("chrf", [], ("tuned", "base", "few-shot")),
    "labels": ("f1_macro", ["classification"], ("tuned", "base", "few-shot")),
    "json": ("field_f1", ["extraction", "json"], ("tuned", "base", "few-shot")),
    "tools": (None, [], ("tuned", "base")),
    "preferences": ("chrf", [], ("tuned", "base")),
    "grader": ("exact_match", [], ("tuned", "base")),
}


@pytest.mark.parametrize("kind", DRAFTED)
def test_every_kind_of_data_gets_a_judgement_that_fits(
    project: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """Metric, scorers and candidates suit the data, the test split is asked, and the file can be planned."""
    metric, scorers, models = DRAFTED[kind]
    file = init(capsys, write(kind))["file"]
    evaluation = load(file).evaluation
    assert (evaluation.metric, [one.name for one in evaluation.scorers]) == (metric, scorers)
    assert evaluation.models == models
    assert evaluation.test_set is True and evaluation.general is (kind != "labels")
    planned(capsys, load(file))


def planned(capsys: pytest.CaptureFixture[str], experiment: Experiment) -> None:
    """Check and plan an experiment on a rehearsal, and on its own target where that needs no key."""
    config = str(experiment.file)
    for words in (
        ["check", config, "--json"],
        *([["plan", config, "--json"]] if experiment.target.provider == "local" else []),
    ):
        with pytest.raises(SystemExit) as end:
            main(words)
        said = capsys.readouterr()
        assert end.value.code == 0, (said.out, said.err)
        assert not json.loads(said.out).get("errors")


def test_labels_are_declared_and_in_every_split(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All labels are declared, every split has the same shares of them, and answers may be short."""
    experiment = load(init(capsys, write("labels"))["file"])
    (scorer,) = experiment.evaluation.scorers
    assert sorted(scorer.options["labels"]) == ["bad", "fine", "good"]
    split = experiment.data.split
    assert split is not None and (split.test, split.stratify_by) == (0.2, "label")
    assert experiment.evaluation.sampling["max_tokens"] == 8
    data.prepare(experiment, project / "made")
    lines = (project / "made/test.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line)["messages"][-1]["content"] for line in lines]
    assert sorted(found) == ["bad"] * 8 + ["fine"] * 8 + ["good"] * 8


def test_labels_in_a_column_that_is_renamed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The split names the column as rows have it after renaming."""
    write_csv(project / "labels.csv", ["text", "a label"], [])
    write_csv(project / "labels.csv", ["body text", "Label"], labelled(60))
    experiment = load(init(capsys, "labels.csv")["file"])
    split = experiment.data.split
    assert split is not None and split.stratify_by == "Label"
    planned(capsys, experiment)


def test_rare_labels_are_not_promised_to_every_split(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a label of three rows there is no `stratify_by`, which would warn on every run, and the labels
    are those of the questions: a declared one that none of them has would be refused.
    """
    write_csv(project / "labels.csv", ["text", "label"], [*labelled(60), *[["Odd.", "rare"]] * 3])
    experiment = load(init(capsys, "labels.csv")["file"])
    assert experiment.data.split is not None and experiment.data.split.stratify_by is None
    (scorer,) = experiment.evaluation.scorers
    assert (scorer.name, dict(scorer.options)) == ("classification", {})
    planned(capsys, experiment)


@pytest.mark.parametrize("rows", [9, 14, 30])
def test_few_rows_with_labels_can_be_planned(
    project: Path, capsys: pytest.CaptureFixture[str], rows: int
) -> None:
    """Where not every label is among the questions, none is declared; what is written is never refused."""
    write_csv(project / "labels.csv", ["text", "label"], labelled(rows))
    experiment = load(init(capsys, "labels.csv")["file"])
    assert experiment.evaluation.metric == "f1_macro"
    (scorer,) = experiment.evaluation.scorers
    assert bool(scorer.options) == (rows == 30)
    if rows >= 10:
        planned(capsys, experiment)


def test_labels_that_differ_in_case_alone_are_no_classes(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answers are compared with labels without case and width, so these would be one class."""
    rows = [[text, ("Good", "good", "bad")[n % 3]] for n, (text, _) in enumerate(labelled(60))]
    write_csv(project / "labels.csv", ["text", "label"], rows)
    evaluation = load(init(capsys, "labels.csv")["file"]).evaluation
    assert (evaluation.metric, evaluation.scorers) == ("chrf", ())


@pytest.mark.parametrize(("rows", "test"), [(12, None), (20, 0.1), (1000, 0.1), (2500, 200)])
def test_the_test_split_is_large_enough_and_not_too_large(
    project: Path, capsys: pytest.CaptureFixture[str], rows: int, test: float | int | None
) -> None:
    """A tenth, at most 200 rows, and none where training needs all of them."""
    found = [[f"What is {n}?", f"It is the number {n}."] for n in range(rows)]
    write_csv(project / "faq.csv", ["question", "answer"], found)
    experiment = load(init(capsys, "faq.csv")["file"])
    split = experiment.data.split
    assert split is not None and (split.test or None) == test
    assert bool(experiment.evaluation.test_set) == (test is not None)
    assert experiment.evaluation.asks


def test_a_large_file_of_tests_is_sampled(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """test.csv beside train.csv is the test split; of more than 200 rows so many are asked."""
    for name, first, last in (("train", 0, 40), ("test", 1000, 1300)):
        rows = [[f"What is {n}?", f"It is the number {n}."] for n in range(first, last)]
        write_csv(project / f"{name}.csv", ["question", "answer"], rows)
    experiment = load(init(capsys, "train.csv")["file"])
    assert experiment.evaluation.test_set == 200
    planned(capsys, experiment)


def test_long_rows_are_no_examples_in_a_prompt(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where questions and answers are long, several of them would fill a small model's context."""
    rows = [{"question": f"{n} " + "word " * 300, "answer": f"Number {n}."} for n in range(30)]
    write_rows(project / "long.jsonl", rows)
    assert load(init(capsys, "long.jsonl")["file"]).evaluation.models == ("tuned", "base")
