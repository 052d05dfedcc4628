"""Data that real users brought in other shapes: from the file to training rows without an edit."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from ftrun import data
from ftrun.cli import main
from ftrun.experiment import build_experiment, read_document

CASES = Path(__file__).parent
HOURS = {
    "name": "hours",
    "description": "opening hours",
    "parameters": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
}
TOOLS = [{"type": "function", "function": HOURS}]
GENE, ASKED, SAID = "You are Gene, brief.", "What time does the pool open?", "It opens at seven."
CALLED = {"id": "call_1", "type": "function", "function": {"name": "hours", "arguments": '{"day": "mon"}'}}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": '{"open": 7}'}


def said(*texts: str) -> list[dict[str, Any]]:
    """Return messages of user and assistant in turn."""
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]


def system(text: str) -> dict[str, Any]:
    """Return a system message."""
    return {"role": "system", "content": text}


def called(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return an assistant message that calls a function."""
    return {"role": "assistant", "tool_calls": [call]}


EXPECTED: dict[str, tuple[int, Any]] = {  # examples, and the one of the first row that is used
    "09-history-system/lf_history.json": (
        12,
        {"messages": [system("You are Gene."), *said("Hello.", "Hi!", ASKED, SAID)]},
    ),
    "10-kto-label/kto.jsonl": (6, {"messages": said(ASKED, SAID)}),
    "11-sharegpt-preferences/dpo.json": (
        12,
        {
            "input": {"messages": said("Question 0: when does it open?")},
            "preferred_output": [{"role": "assistant", "content": "At 0."}],
            "non_preferred_output": [{"role": "assistant", "content": "No idea 0."}],
        },
    ),
    "12-sharegpt-tools/glaive.json": (
        11,
        {
            "messages": [
                *said("When is pool 1 open?"),
                called(CALLED),
                RESULT,
                {"role": "assistant", "content": "Pool 1 opens at seven."},
            ],
            "tools": TOOLS,
        },
    ),
    "12-sharegpt-tools/hermes.jsonl": (
        12,
        {
            "messages": [
                system("You are a function calling AI model."),
                *said(ASKED),
                called(CALLED),
                RESULT,
                {"role": "assistant", "content": SAID},
            ],
            "tools": TOOLS,
        },
    ),
    "12-sharegpt-tools/tools_string.jsonl": (
        12,
        {"messages": [*said(ASKED), called({**CALLED, "id": "c1"})], "tools": TOOLS},
    ),
    "21-request-list/yandex.jsonl": (12, {"messages": [system(GENE), *said(ASKED, SAID)]}),
    "22-messages-as-text/messages_text.csv": (12, {"messages": said(ASKED, SAID)}),
    "22-messages-as-text/messages_text.jsonl": (12, {"messages": said(ASKED, SAID)}),
}


def drafted(file: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the examples, without a persona, that `ftrun init` makes of a file, and what it said."""
    with pytest.raises(SystemExit) as exit_:
        main(["init", file.name, "--name", "draft", "--json"])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert exit_.value.code == 0, document
    experiment = build_experiment(read_document(Path(document["file"])))
    codes = {problem.code for problem in data.examine(experiment).errors} - {"too_few_examples"}
    assert not codes, codes
    prepared = data.prepare(experiment, file.parent / "out")
    lines = [line for one in prepared.files.values() for line in one.path.read_text().splitlines()]
    examples = [json.loads(line) for line in lines]
    for example in examples if any(name.endswith(".j2") for name in document["written"]) else ():
        asked = example.get("input", example)
        assert asked["messages"].pop(0)["role"] == "system"
    return examples, document


LEFT_OUT = {
    "10-kto-label/kto.jsonl": "6 rows whose 'label' is true are taught",
    "12-sharegpt-tools/glaive.json": "1 of 12 rows call a function",
}


def into(folder: Path, name: str) -> Path:
    """Return a copy of a case's file in a folder."""
    copy = folder / Path(name).name
    copy.write_bytes((CASES / name).read_bytes())
    return copy


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one."""
    here = tmp_path / "新しい 実験"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_becomes_the_right_rows(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What init drafts has no error in any row, and the rows are those that were meant."""
    examples, document = drafted(into(folder, name), capsys)
    count, first = EXPECTED[name]
    assert len(examples) == count
    assert first in examples
    if said_of := LEFT_OUT.get(name):
        assert any(said_of in note for note in document["notes"])


WORDS = ["駅", "港", "橋", "川", "丘", "森", "町", "村", "海", "島", "湖", "山"]


def turns(word: str) -> list[dict[str, Any]]:
    """Return turns as ShareGPT writes them."""
    return [{"from": "human", "value": f"{word}はどこ？"}, {"from": "gpt", "value": f"{word}は北です。"}]


def chat(word: str) -> list[dict[str, Any]]:
    """Return the messages that these turns become."""
    return said(f"{word}はどこ？", f"{word}は北です。")


SHAPES: dict[str, Callable[[str], dict[str, Any]]] = {
    "sharegpt": lambda word: {"conversations": turns(word), "source": "own"},
    "unknown-column": lambda word: {"番号": "1", "会話": turns(word)},
    "pairs": lambda word: {"turns": [[f"{word}はどこ？", f"{word}は北です。"]]},
    "texts": lambda word: {"dialog": [f"{word}はどこ？", f"{word}は北です。"]},
    "history": lambda word: {
        "instruction": f"{word}はどこ？", "input": "", "output": f"{word}は北です。", "history": []
    },
    "completion": lambda word: {"prompt": chat(word)[:1], "completion": chat(word)[1:]},
    "kto": lambda word: {"prompt": chat(word)[:1], "completion": chat(word)[1:], "label": word not in "駅港"},
    "kto-texts": lambda word: {
        "prompt": f"{word}はどこ？", "completion": f"{word}は北です。", "label": word not in "駅港"
    },
    "transcript": lambda word: {"text": f"### Human: {word}はどこ？### Assistant: {word}は北です。"},
    "speakers": lambda word: {
        "会話": [{"speaker": "客", "text": f"{word}はどこ？"}, {"speaker": "店", "text": f"{word}は北です。"}]
    },
}  # fmt: skip
FORMATS = ("jsonl", "csv", "json", "parquet")
# each shape in two of the formats: what a format does to lists is the same for all shapes
FILES = [
    (name, FORMATS[(number + more) % len(FORMATS)]) for number, name in enumerate(SHAPES) for more in (0, 1)
]


def write(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Write rows in the format that the path's extension says; lists are JSON text in a table."""
    texts = [json.dumps(row, ensure_ascii=False) for row in rows]
    if path.suffix == ".jsonl":
        path.write_text("\n".join(texts), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(f"[{','.join(texts)}]", encoding="utf-8")
    elif path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            for row in rows:
                table.writerow(
                    {
                        key: one if isinstance(one, (str, bool)) else json.dumps(one, ensure_ascii=False)
                        for key, one in row.items()
                    }
                )
    return path


@pytest.mark.parametrize(("name", "extension"), FILES)
def test_shapes_in_any_format(
    name: str, extension: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same rows give the same examples, whatever file they are in."""
    file = write([SHAPES[name](word) for word in WORDS], folder / f"会話 データ.{extension}")
    examples, _ = drafted(file, capsys)
    taught = [word for word in WORDS if not (name.startswith("kto") and word in "駅港")]
    by_text = {one["messages"][0]["content"]: one for one in examples}
    assert by_text == {f"{word}はどこ？": {"messages": chat(word)} for word in taught}
