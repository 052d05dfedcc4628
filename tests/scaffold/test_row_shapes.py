"""`ftrun init` on rows with shapes, on texts with labels, and on rows that nothing can be learned from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftrun import data

from .drafting import init, load, write_csv

LABELLED: dict[str, tuple[list[str], list[str], list[str]]] = {
    "reviews": (["id", "review", "sentiment"], ["review", "sentiment"], ["positive", "negative"]),
    "Japanese": (["文", "ラベル"], ["文", "ラベル"], ["良い", "悪い", "普通"]),
    "intents": (["query", "intent"], ["query", "intent"], ["hours", "price"]),
    "stars": (["comment", "rating"], ["comment", "rating"], ["1", "2", "3", "4", "5"]),
}


@pytest.mark.parametrize(("header", "used", "labels"), LABELLED.values(), ids=LABELLED)
def test_texts_with_labels_become_a_classifier(
    header: list[str], used: list[str], labels: list[str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text asks, the label answers, the persona lists the labels, and the questions expect theirs."""
    rows = [[f"t{number}"] * (len(header) - 1) + [labels[number % len(labels)]] for number in range(30)]
    rows = [[*row[:-2], f"{row[-2]} は便利です", row[-1]] for row in rows]
    write_csv(project / "labels.csv", header, rows)
    document = init(capsys, "labels.csv")
    assert document["columns"] == dict(zip(("user", "assistant"), used, strict=True))
    experiment = load(document["file"])
    assert experiment.prompt.system is not None
    assert all(label in experiment.prompt.system.text for label in labels)
    assert {one.reference for one in experiment.evaluation.prompts} <= set(labels)
    assert not data.examine(experiment).errors


def test_two_texts_that_are_compared_are_both_asked(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """None of them is left out, and neither is taken for the answer."""
    rows = [[f"It rains in {n}.", f"{n} is wet today.", ("yes", "no")[n % 2]] for n in range(20)]
    write_csv(project / "nli.csv", ["premise", "hypothesis", "label"], rows)
    experiment = load(init(capsys, "nli.csv")["file"])
    data.prepare(experiment, project / "out")
    lines = (project / "out/train.jsonl").read_text().splitlines()
    said = [[one["content"] for one in json.loads(line)["messages"][1:]] for line in lines]
    assert ["It rains in 2.\n\n2 is wet today.", "yes"] in said


def test_numbers_as_labels_get_a_tip_that_works(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The template that the note prints gives names to the numbers."""
    rows = [{"sentence": f"Text {n} of them.", "label": n % 2} for n in range(20)]
    (project / "sst.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    document = init(capsys, "sst.jsonl")
    (note,) = (one for one in document["notes"] if "are numbers" in one)
    template = note.partition("set `assistant` to ")[2].partition(", and write")[0]
    config = Path(document["file"])
    config.write_text(config.read_text().replace('assistant: "{{ label }}"', f"assistant: {template}"))
    data.prepare(load(str(config)), project / "out")
    assert "name of 0" in (project / "out/train.jsonl").read_text()


@pytest.mark.parametrize(
    "rows",
    [
        [["q", "answer", "category"], *([f"Ask {n}?", f"Say {n}.", "ab"[n % 2]] for n in range(20))],
        [
            ["question", "text", "label"],
            *([f"Ask {n} about it?", f"Say {n} and more.", "ab"[n % 2]] for n in range(20)),
        ],
    ],
)
def test_a_column_of_categories_beside_answers_is_no_label(
    rows: list[list[str]], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where another column may be the answer, nobody is taught to classify."""
    write_csv(project / "faq.csv", rows[0], rows[1:])
    assert init(capsys, "faq.csv")["columns"]["assistant"] != rows[0][-1]


USELESS: dict[str, tuple[Any, str]] = {
    "MT-Bench": ({"question_id": 1, "category": "x", "turns": ["a", "b"]}, "questions only"),
    "requests": (
        {"custom_id": "1", "body": {"messages": [{"role": "user", "content": "a"}]}},
        "without their resp",
    ),
    "responses": ({"custom_id": "1", "response": {"body": {"choices": []}}}, "without their requests"),
    "nested trees": (
        {"message_tree_id": "1", "prompt": {"text": "a", "role": "x", "replies": []}},
        "tree of messages",
    ),
}


@pytest.mark.parametrize(("row", "words"), USELESS.values(), ids=USELESS)
def test_rows_without_anything_to_learn_are_refused(
    row: Any, words: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One message says what is missing and what to do, and nothing is written."""
    (project / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for _ in range(12)))
    error = init(capsys, "a.jsonl", code=2)["error"]
    assert words in error["message"]
    assert error["hint"]
    assert not (project / "configs").exists()


def test_a_tree_of_messages_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two answers to one message can't be one conversation."""
    rows = [
        {"message_id": "1", "parent_id": None, "role": "prompter", "text": "a"},
        {"message_id": "2", "parent_id": "1", "role": "assistant", "text": "b"},
        {"message_id": "3", "parent_id": "1", "role": "assistant", "text": "c"},
    ]
    (project / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "several messages answer the same one" in init(capsys, "a.jsonl", code=2)["error"]["message"]


def test_blank_messages_are_left_out_and_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The draft passes its own check."""
    rows = [{"dialog": [f"Ask {n}?", " " if n == 3 else f"Say {n}."]} for n in range(20)]
    (project / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    document = init(capsys, "a.jsonl")
    assert "1 of 20 rows have a blank message, so `where` leaves them out." in document["notes"]
    assert not data.examine(load(document["file"])).errors


def test_rows_that_can_not_be_converted_are_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The draft names the shape of the others, and the check names the place."""
    rows = [
        {
            "conversations": [
                {"from": "human", "value": f"Ask {n}"},
                {"from": "x" if n == 3 else "gpt", "value": "y"},
            ]
        }
        for n in range(20)
    ]
    (project / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    document = init(capsys, "a.jsonl")
    assert "1 of 20 rows can't be converted: `ftrun check` says where and why." in document["notes"]
    (error,) = data.examine(load(document["file"])).errors
    assert (error.code, error.line) == ("shape", 4)
    assert error.message == 'conversations[1].from is "x", a speaker whose role is unknown'
