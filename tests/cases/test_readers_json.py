"""JSON as people bring it: under other names, in objects, as lists of messages, and with what is not JSON."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ftrun.cli import main

from .drafts import CASES, TALK, drafted, init, pairs, refusal

ROWS = [{"question": ask, "answer": answer} for ask, answer in TALK]
CHATS = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in TALK]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
QUOTED = json.dumps(ROWS[0], ensure_ascii=False)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder, with a space and Japanese characters in its name, the current one."""
    folder = tmp_path / "新しい 仕事"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def checked(capsys: pytest.CaptureFixture[str], name: str, more: str = "") -> list[dict[str, Any]]:
    """Return what `ftrun check` finds in an experiment over the file that somebody wrote by hand."""
    prompt = 'prompt: {user: "{{ question }}", assistant: "{{ answer }}"}\n'
    source = f"version: 1\nname: hand\ndata:\n  sources:\n    - path: '{name}'\n{more}"
    Path("hand.yaml").write_text(source + prompt, encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["check", "hand.yaml", "--json"])
    document = json.loads(capsys.readouterr().out)
    found: list[dict[str, Any]] = document.get("errors", [])
    return found


@pytest.mark.parametrize(
    ("name", "text", "keys"),
    [
        ("a.txt", LINES, ["format: jsonl"]),
        ("a.jsonl.txt", LINES, ["format: jsonl"]),
        ("a", LINES, ["format: jsonl"]),
        ("a.log", LINES, ["format: jsonl"]),
        ("a.text", LINES, ["format: jsonl"]),
        ("a.ndjson", LINES, []),
        ("a.json", LINES, ["format: jsonl"]),
        ("a.csv", LINES, ["format: jsonl"]),
        ("b.txt", json.dumps(ROWS, indent=1), ["format: json"]),
        ("b.jsonl", json.dumps(ROWS, indent=1), ["format: json"]),
        ("c.jsonl", json.dumps(ROWS), ["format: json"]),
        ("c.jsonl", "[" + ",\n".join(map(json.dumps, ROWS)) + "]\n", ["format: json"]),
        ("d.json", json.dumps({"version": 1, "data": ROWS}, indent=1), ["records: data"]),
        ("d.json", json.dumps({"result": {"items": ROWS}}), ["records: result.items"]),
        ("d.txt", json.dumps({"rows": ROWS}, indent=1), ["format: json", "records: rows"]),
        (
            "e.json",
            json.dumps({"features": [], "rows": [{"row_idx": n, "row": row} for n, row in enumerate(ROWS)]}),
            ["records: rows.row"],
        ),
        ("f.jsonl", "".join(json.dumps(chat) + "\n" for chat in CHATS), []),
        ("f.json", json.dumps(CHATS), []),
        ("f.txt", "".join(json.dumps(chat) + "\n" for chat in CHATS), ["format: jsonl"]),
        (
            "g.json",
            json.dumps({"conversations": [{"messages": chat} for chat in CHATS]}),
            ["records: conversations"],
        ),
        ("h.json", json.dumps({"chats": CHATS}), ["records: chats"]),
    ],
)
def test_json_under_other_names_is_drafted(
    capsys: pytest.CaptureFixture[str], name: str, text: str, keys: list[str]
) -> None:
    """`init` looks at the content, says how to read it, and what it drafts gives all rows."""
    Path(name).write_text(text, encoding="utf-8")
    draft, said = drafted(capsys, Path(name), "--name", "drafted")
    assert said == pairs(TALK)
    for key in keys:
        assert f"      {key}\n" in draft
    assert ("      format:" in draft) == any(key.startswith("format") for key in keys)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", LINES),
        ("a.jsonl.txt", LINES),
        ("a.log", LINES),
        ("b.json", LINES),
        ("c.jsonl", json.dumps(ROWS, indent=1)),
        ("c.jsonl", json.dumps(ROWS)),
        ("d.csv", LINES),
        ("e.txt", json.dumps(ROWS, indent=1)),
        ("f.txt", "".join(f"{ask}\t{answer}\n" for ask, answer in [("question", "answer"), *TALK])),
        ("g.txt", json.dumps({"data": ROWS}, indent=1)),
        ("h.jsonl", json.dumps({"data": ROWS}, indent=1)),
    ],
)
def test_the_tip_for_a_format_works(capsys: pytest.CaptureFixture[str], name: str, text: str) -> None:
    """What `check` says about a file under another name reads it when it is followed."""
    Path(name).write_text(text, encoding="utf-8")
    (problem,) = checked(capsys, name)
    key = problem["hint"].split("`format: ")[1].split("`")[0]
    assert not checked(capsys, name, f"      format: {key}\n")


@pytest.mark.parametrize("value", [{"data": ROWS}, {"meta": {"n": 24}, "rows": ROWS}])
def test_the_only_list_of_rows_is_read(capsys: pytest.CaptureFixture[str], value: Any) -> None:
    """An object around the rows is read without a key where only one of its keys holds rows."""
    Path("a.json").write_text(json.dumps(value), encoding="utf-8")
    assert not checked(capsys, "a.json")


def test_several_lists_are_named_and_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    """An object of training and test rows is asked about, with the keys, their counts and what to add."""
    Path("a.json").write_text(json.dumps({"train": ROWS[:20], "test": ROWS[20:]}), encoding="utf-8")
    (problem,) = checked(capsys, "a.json")
    assert "`train` holds 20, `test` holds 4" in problem["hint"]
    assert not checked(capsys, "a.json", "      records: train\n")
    assert checked(capsys, "a.json", "      records: tran\n")[0]["code"] == "records"
    assert "--records train" in refusal(capsys, "a.json")[1]
    assert drafted(capsys, Path("a.json"), "--records", "train")[1] == pairs(TALK[:20])


def test_a_single_conversation_is_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    """One object with the messages of a chat is a row, however it is laid out."""
    for name, indent in (("a.json", 1), ("b.json", None), ("c.txt", 1)):
        Path(name).write_text(json.dumps({"messages": CHATS[0]}, indent=indent), encoding="utf-8")
        assert drafted(capsys, Path(name))[1] == pairs(TALK[:1])


@pytest.mark.parametrize(
    ("value", "words", "tip"),
    [
        ({"question": {"0": "a", "1": "b"}, "answer": {"0": "c", "1": "d"}}, "an object", "orient='records'"),
        ({"question": ["a", "b"], "answer": ["c", "d"]}, "an object", "orient='records'"),
        ({"columns": ["q", "a"], "index": [0], "data": [["b", "c"]]}, "an object", "orient='records'"),
        ([["q", "a"], ["b", "c"]], "the row is a list of 2 texts", "Name what the list holds"),
        ([json.dumps({"q": "a"})], "the row is a text", "JSON twice"),
    ],
)
def test_other_shapes_are_named(capsys: pytest.CaptureFixture[str], value: Any, words: str, tip: str) -> None:
    """Tables by column, lists of texts and JSON inside JSON are told as such."""
    Path("a.json").write_text(json.dumps(value), encoding="utf-8")
    problem = checked(capsys, "a.json")[0]
    assert words in problem["message"]
    assert tip in problem["hint"]


FAULTS = [
    (QUOTED.replace('"', "“"), 2, "the quotes are typographic (“)", True),
    (QUOTED.replace('"question"', "„question“"), 2, "the quotes are typographic („)", True),
    (QUOTED.replace('"answer"', "«answer»"), 42, "the quotes are typographic («)", True),
    (QUOTED.replace('": "Number', '“: "Number'), 49, "the quotes are typographic (“)", True),
    (str(ROWS[0]), 2, "this is how Python shows a value", True),
    (str({**ROWS[0], "n": None}), 2, "this is how Python shows a value", True),
    (QUOTED[:-1] + ', "n": None}', None, "None is Python's; JSON writes null", True),
    (QUOTED + ",", None, "there is a comma behind the object", True),
    (QUOTED[:-1] + ",}", None, "there is a comma before the } that closes it", False),
    (QUOTED + " // the first", None, "there is a comment (//)", False),
    ("# rows of May", 1, "there is a comment (#)", False),
    (QUOTED.replace('{"', '{/* */ "'), 2, "there is a comment (/*)", False),
    (QUOTED[:-1] + ', "n": NaN}', None, "NaN is not JSON", False),
    ("\ufeff" + QUOTED, 1, "there is a byte order mark in the middle", False),
    (QUOTED.replace("?", "?\n", 1), 14, "the text that begins here does not end in this line", False),
    (QUOTED.replace("What", "\tWhat"), 15, "there is a tab inside a text", False),
    (QUOTED.replace('"', "&quot;"), 2, "the quotes are written as HTML (&quot;)", True),
    (QUOTED.replace('"question"', "question"), 2, "the name question has no quotes", False),
    (QUOTED + QUOTED, None, "there are several objects in this line", False),
    (QUOTED[:-1], None, "the object does not end", False),
    (QUOTED.replace("What", "C:\\data"), 17, "a backslash inside a text begins no escape", False),
    (QUOTED.replace(": ", "：", 1), 12, "： is a full-width character", False),
    (QUOTED.replace('{"', '{\u00a0"'), 2, "U+00A0 is a space", False),
]


@pytest.mark.parametrize(("line", "column", "words", "turns"), FAULTS)
def test_what_is_not_json_is_named(
    capsys: pytest.CaptureFixture[str], line: str, column: int | None, words: str, turns: bool
) -> None:
    """The cause is told at its line and column; a command that is printed makes rows of all lines."""
    Path("OLD.jsonl").write_text(f"{LINES}{line}\n", encoding="utf-8")
    problem = init(capsys, "OLD.jsonl", code=2)["errors"][0]
    assert words in problem["message"]
    assert problem["line"] == len(ROWS) + 1
    assert column is None or problem["column"] == column
    assert ("python3" in problem["hint"]) == turns
    if turns and "Python" not in words:
        command = problem["hint"][problem["hint"].index("python3") :]
        subprocess.run(command, shell=True, check=True, timeout=60)
        assert len(drafted(capsys, Path("NEW.jsonl"))[1]) == len(ROWS)  # the row that was wrong repeats one


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("a.json", json.dumps(ROWS, indent=1)[:-2] + ",\n]", 97, "there is a comma before the ]"),
        ("a.json", str(ROWS), 1, "this is how Python shows a value"),
        ("a.json", "[\n // rows\n" + LINES[:-1].replace("\n", ",\n") + "]", 2, "there is a comment (//)"),
        ("a.json", LINES.replace("\n", ",\n"), 1, "there is a comma behind the object"),
        ("a.json", json.dumps(ROWS, indent=1)[:-9], 96, "cut short"),
        ("a.json", json.dumps(ROWS, indent=1).replace('"', "”", 2), 3, "the quotes are typographic (”)"),
    ],
)
def test_what_is_not_json_in_arrays(
    capsys: pytest.CaptureFixture[str], name: str, text: str, line: int, words: str
) -> None:
    """In a .json file the cause has the line of the file."""
    Path(name).write_text(text, encoding="utf-8")
    problem = checked(capsys, name)[0]
    assert words in problem["message"]
    assert problem["line"] == line


def test_python_rows_are_turned_by_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The command for rows as Python prints them makes JSON lines of the file, in any language."""
    rows = [{"question": f"{n}番はいくら？", "answer": "it's “fine”", "n": None} for n in range(12)]
    Path("OLD.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    hint = checked(capsys, "OLD.jsonl")[0]["hint"]
    subprocess.run(hint[hint.index("python3") :], shell=True, check=True, timeout=60)
    assert [json.loads(one) for one in Path("NEW.jsonl").read_text(encoding="utf-8").splitlines()] == rows


def test_pretty_printed_objects_are_turned_by_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The command for objects over several lines writes each on one."""
    Path("OLD.jsonl").write_text("".join(json.dumps(row, indent=2) + "\n" for row in ROWS), encoding="utf-8")
    hint = checked(capsys, "OLD.jsonl")[0]["hint"]
    subprocess.run(hint[hint.index("python3") :], shell=True, check=True, timeout=60)
    assert not checked(capsys, "NEW.jsonl")


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("35-smart-quotes/comma_lines.jsonl", "there is a comma behind the object"),
        ("35-smart-quotes/single_quotes.jsonl", "this is how Python shows a value"),
        ("35-smart-quotes/smart.jsonl", "the quotes are typographic"),
    ],
)
def test_refused_cases(capsys: pytest.CaptureFixture[str], case: str, words: str) -> None:
    """The files that users reported are told by their cause, and nothing is written."""
    assert words in refusal(capsys, str(CASES / case))[0]


@pytest.mark.parametrize(
    "case", ["23-txt/train.txt", "23-txt/train.jsonl.txt", "34-lines-of-arrays/prompt_in_array.jsonl"]
)
def test_read_cases(capsys: pytest.CaptureFixture[str], case: str) -> None:
    """The files that users reported are drafted and read whole."""
    assert len(drafted(capsys, CASES / case)[1]) == 12
