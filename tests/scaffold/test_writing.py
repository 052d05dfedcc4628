"""What `ftrun init` writes, and what it refuses to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ftrun import data
from ftrun.cli import main

from .drafting import ENGLISH, JAPANESE, init, load, write_csv


@pytest.mark.parametrize(
    ("rows", "validation"), [(8, None), (11, None), (12, 2), (19, 2), (20, 0.1), (30, 0.1)]
)
def test_the_split_leaves_enough_to_train(
    project: Path, capsys: pytest.CaptureFixture[str], rows: int, validation: float | None
) -> None:
    """No split takes training below ten examples; where there are fewer than ten, a note says so."""
    write_csv(project / "faq.csv", ["question", "answer"], ENGLISH[:rows])
    document = init(capsys, "faq.csv")
    split = load(document["file"]).data.split
    assert (split.validation if split else None) == validation
    assert any("at least 10" in note for note in document["notes"]) == (rows < 10)


def test_questions_come_from_the_data(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three are held out and three taught, each with the answer in the data, and the file says so."""
    write_csv(project / "faq.csv", ["question", "answer"], ENGLISH)
    file = init(capsys, "faq.csv")["file"]
    prompts = load(file).evaluation.prompts
    assert [prompt.id for prompt in prompts] == [
        *(f"held-out-{number}" for number in (1, 2, 3)),
        *(f"taught-{number}" for number in (1, 2, 3)),
    ]
    assert {prompt.user: prompt.reference for prompt in prompts}.items() <= dict(ENGLISH).items()
    experiment = load(file)
    data.prepare(experiment, project / "made")
    for prompt in prompts:
        name = "validation" if prompt.id.startswith("held-out") else "train"
        assert str(prompt.user) in (project / "made" / f"{name}.jsonl").read_text(encoding="utf-8")
    assert "Questions from your data" in Path(file).read_text(encoding="utf-8")


def test_values_that_look_like_yaml_stay_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Questions with quotes, braces, colons and line separators, and a name such as `no`, are only text."""
    asked = [f'"{number}": {{{{ x }}}} # no\u2028\u0085 \\ é 😀' for number in range(12)]
    rows = "".join(json.dumps({"question": ask, "answer": "yes"}) + "\n" for ask in asked)
    (project / "no.jsonl").write_text(rows, encoding="utf-8")
    experiment = load(init(capsys, "no.jsonl")["file"])
    assert experiment.name == "no"
    assert {prompt.user for prompt in experiment.evaluation.prompts} <= set(asked)


def test_nothing_is_overwritten_unasked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An edited experiment stays; the same command on an unchanged one, or --force, goes through."""
    write_csv(project / "faq.csv", ["question", "answer"], ENGLISH)
    file = Path(init(capsys, "faq.csv")["file"])
    before = file.read_text(encoding="utf-8")
    init(capsys, "faq.csv")
    file.write_text("mine", encoding="utf-8")
    error = init(capsys, "faq.csv", code=4)["error"]
    assert error["code"] == "exists"
    assert file.read_text(encoding="utf-8") == "mine"
    init(capsys, "faq.csv", "--force")
    assert file.read_text(encoding="utf-8") == before


def test_data_from_elsewhere_are_copied(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file outside the project, which a run would refuse, is copied into it and this is said."""
    outside = write_csv(project.parent / "faq.csv", ["question", "answer"], ENGLISH)
    document = init(capsys, str(outside))
    assert document["copied"] == "configs/data/faq.csv"
    assert load(document["file"]).data.sources[0].path == "data/faq.csv"
    assert (project / document["copied"]).read_bytes() == outside.read_bytes()


def test_data_in_the_project_stay_where_they_are(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in the project is not copied, and its path is relative to the experiment."""
    (project / "input").mkdir()
    write_csv(project / "input" / "質問 集.tsv", ["質問", "回答"], JAPANESE, mark="\t")
    document = init(capsys, "input/質問 集.tsv", "--name", "faq")
    assert document["copied"] is None
    source = load(document["file"]).data.sources[0]
    assert source.path is not None
    assert (source.base / source.path).resolve() == project / "input" / "質問 集.tsv"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.csv", "", "empty_file"),
        ("header.csv", "question,answer\n", "empty_file"),
        ("data.pdf", "x", "unknown_format"),
        ("ragged.csv", "question,answer\na,b\nc\n", "ragged_row"),
        ("broken.jsonl", '{"question": \n', "json_syntax"),
    ],
)
def test_what_is_no_data_is_one_message(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, code: str
) -> None:
    """A file that holds no rows ends with 2, a message with the file and a hint, and nothing written."""
    (project / name).write_text(content, encoding="utf-8")
    error = init(capsys, name, code=2)["error"]
    assert error["file"] == name
    assert error["hint"]
    assert error["code"] == code
    assert not (project / "configs").exists()


def test_a_missing_file_names_its_neighbours(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path with a typo gives the data files that the folder has."""
    write_csv(project / "faq.csv", ["question", "answer"], ENGLISH)
    assert "faq.csv" in init(capsys, "fag.csv", code=2)["error"]["hint"]


def test_the_next_commands_are_printed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the last two lines are the commands to check and to run."""
    write_csv(project / "faq.csv", ["question", "answer"], ENGLISH)
    with pytest.raises(SystemExit):
        main(["init", "faq.csv"])
    *_, check, run = capsys.readouterr().out.splitlines()
    assert check.endswith(" check configs/faq.yaml")
    assert run.endswith(" configs/faq.yaml")


def test_the_comments_are_in_the_language_of_the_data(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who writes Japanese data reads Japanese beside every key; the file means the same."""
    write_csv(project / "faq.csv", ["question", "answer"], JAPANESE)
    file = init(capsys, "faq.csv")["file"]
    text = Path(file).read_text(encoding="utf-8")
    comments = [line.partition("# ")[2] for line in text.splitlines() if "# " in line]
    assert len(comments) > 12 and all(re.search("[ぁ-ん]", one) for one in comments)
    assert "description: 30 行のデータから" in text
    assert load(file).evaluation.test_set is True
    write_csv(project / "labels.csv", ["text", "label"], [(f"{a}です", b) for a, b in _LABELLED])
    for name, rows in _CHATS.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (project / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    for name in ("labels.csv", *(f"{name}.jsonl" for name in _CHATS)):
        text = Path(init(capsys, name)["file"]).read_text(encoding="utf-8")
        comments = [line.partition("# ")[2] for line in text.splitlines() if "# " in line]
        assert [one for one in comments if not re.search("[ぁ-ん]", one)] == [], name


_LABELLED = [(f"{number}番目の意見", ("良い", "悪い")[number % 2]) for number in range(60)]
_ASKED = [
    {"role": "user", "content": f"りんごを{number}個、明日までに届けてください。"} for number in range(40)
]
_CALL = {"id": "c", "type": "function", "function": {"name": "order", "arguments": "{}"}}
_TOOL = {
    "type": "function",
    "function": {"name": "order", "parameters": {"type": "object", "properties": {}}},
}
_CHATS: dict[str, list[dict[str, object]]] = {
    "calls": [
        {"messages": [asked, {"role": "assistant", "tool_calls": [_CALL]}], "tools": [_TOOL]}
        for asked in _ASKED
    ],
    "fields": [
        {"messages": [asked, {"role": "assistant", "content": json.dumps({"n": number})}]}
        for number, asked in enumerate(_ASKED)
    ],
    "preferred": [
        {"prompt": asked["content"], "chosen": f"{number}個ですね。", "rejected": "いやです。"}
        for number, asked in enumerate(_ASKED)
    ],
    "graded": [{"messages": [asked], "answer": f"{number}個"} for number, asked in enumerate(_ASKED)],
}
