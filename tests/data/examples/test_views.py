"""What people look at: examples as the model sees them, what changed, the check in terminal and page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.cli import main
from ftrun.cli.data import one_line, turn_lines
from ftrun.data.examples.views import fields_of, tools_of, turns_of
from ftrun.data.pipeline.samples import browsable

CONFIG = """\
version: 1
name: toy
targets: {{local: {{provider: local, model: rehearsal}}}}
data:
  sources: [{{path: rows.csv}}]
  split: {{validation: 4}}
prompt: {{system: "{system}", user: "{{{{ q }}}}", assistant: "{{{{ a }}}}"}}
"""
Call = Callable[..., str]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Return a function that runs a command in the project, holds it to an exit code, and gives stdout."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        said = capsys.readouterr()
        assert ended.value.code == code, said
        return said.out + said.err

    return run


def write(folder: Path, rows: dict[str, str], system: str = "短く。") -> None:
    """Write the experiment over questions and answers."""
    (folder / "toy.yaml").write_text(CONFIG.format(system=system), "utf-8")
    lines = "".join(f"{question},{answer}\n" for question, answer in rows.items())
    (folder / "rows.csv").write_text("q,a\n" + lines, "utf-8")


ROWS = {f"質問{number}": f"答え{number}" for number in range(30)}


def test_examples_are_shown_as_the_model_sees_them(tmp_path: Path, call: Call) -> None:
    """Roles, texts, place, tokens, and which text is learned."""
    write(tmp_path, ROWS)
    text = call("data", "toy.yaml", "--show", "2")
    assert text.count("▶ assistant (learned)") == 2
    assert "train 1 · rows.csv:2 · " in text and "    短く。\n" in text
    shown = json.loads(call("data", "toy.yaml", "--show", "1", "--split", "validation", "--json"))
    (one,) = shown["examples"]
    assert one["split"] == "validation"
    assert [turn["trained"] for turn in one["turns"]] == [False, False, True]
    assert 0 < one["trained_tokens"] < one["tokens"]
    assert one["example"]["messages"][2]["content"] == one["turns"][2]["text"]
    assert not (tmp_path / "runs").exists()


def test_an_answer_of_weight_0_is_not_learned(make: Any, tmp_path: Path) -> None:
    """Only what is learned counts as trained."""
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "long answer here", "weight": 0},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "yes"},
    ]
    experiment = make({"a.jsonl": (json.dumps({"messages": messages}) + "\n") * 12})
    data.examine(experiment, folder=tmp_path / "out")
    (one,) = browsable(experiment, tmp_path / "out", [])
    assert [turn["trained"] for turn in one["turns"]] == [False, False, False, True]
    assert one["trained_tokens"] == 1


def test_every_shape_of_a_row_is_shown(make: Any, tmp_path: Path) -> None:
    """Calls as they are written, tools by name, images by their address, both answers of a preference."""
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "那覇"}'}}
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "天気は？"}, image]},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "晴れ"},
        {"role": "assistant", "content": "晴れです。"},
    ]
    row = {"messages": messages, "tools": [tool]}
    assert list(tools_of(row)) == ["weather"]
    assert [turn[:3] for turn in turns_of(row)] == [
        ("user", "天気は？", False),
        ("user", "[image https://example.com/a.png]", False),
        ("assistant", 'weather({"city": "那覇"})', True),
        ("tool", "晴れ", False),
        ("assistant", "晴れです。", True),
    ]
    answers = {
        name: [{"role": "assistant", "content": name}]
        for name in ("preferred_output", "non_preferred_output")
    }
    pair = {"input": {"messages": messages[:1]}, **answers}
    assert [turn.role for turn in turns_of(pair)] == ["user", "user", "preferred", "not preferred"]
    assert "▶ not preferred (to avoid)" in list(turn_lines(turns_of(pair)))


def test_names_and_what_a_grader_is_given_are_shown(make: Any) -> None:
    """Who a message is from stands behind its role; what stands beside the messages is told."""
    row = {"messages": [{"role": "user", "name": "taro", "content": "1+1?"}], "answer": {"value": 2}}
    assert list(turn_lines(turns_of(row))) == ["  user taro", "    1+1?"]
    assert list(fields_of(row)) == [("answer", {"value": 2})]
    asked = {"messages": row["messages"], "tools": [], "parallel_tool_calls": False}
    pair = {"input": asked, "preferred_output": [], "non_preferred_output": []}
    assert list(fields_of(pair)) == [("parallel_tool_calls", False)]


def test_one_row_is_found_by_number_or_place(tmp_path: Path, call: Call) -> None:
    """`--row 3` and `--row rows.csv:5`; a row with an error tells the error, a missing one the cure."""
    write(tmp_path, {**ROWS, "空": ""})
    assert "質問7\n" in call("data", "toy.yaml", "--row", "rows.csv:9")
    assert "train 3 · " in call("data", "toy.yaml", "--row", "3")
    assert "the content is empty" in call("data", "toy.yaml", "--row", "rows.csv:32", code=2)
    assert "no example came from rows.csv:99" in call("data", "toy.yaml", "--row", "rows.csv:99", code=2)
    assert "train has no example 400" in call("data", "toy.yaml", "--row", "400", code=2)
    assert "1 error elsewhere" in call("data", "toy.yaml", "--show", "1")


def test_what_changed_since_the_last_run(tmp_path: Path, call: Call) -> None:
    """Added, removed, changed answers, changed questions in place, each with its place."""
    write(tmp_path, ROWS)
    assert "no earlier run" in call("data", "toy.yaml", "--diff")
    said = call("run", "toy.yaml", "--until", "prepare")
    assert "continue" in said and "talk to it" not in said  # there is no model yet
    same = call("data", "toy.yaml", "--diff")
    assert "0 added, 0 removed, 0 changed, 0 moved, 30 unchanged" in same
    rows = {question: answer for question, answer in ROWS.items() if question != "質問29"}
    rows |= {"質問3": "新しい答え"}
    rows = {("直した質問5" if question == "質問5" else question): answer for question, answer in rows.items()}
    rows |= {"新": "一", "新二": "二"}
    write(tmp_path, rows)
    found = json.loads(call("data", "toy.yaml", "--diff", "--json"))
    assert found["counts"] | {"moved": 0} == {"added": 1, "removed": 0, "changed": 3, "moved": 0}
    places = {(one["kind"], one["now"]["line"]) for one in found["changes"] if one["kind"] != "moved"}
    assert places == {("added", 32), ("changed", 5), ("changed", 7), ("changed", 31)}
    text = call("data", "toy.yaml", "--diff")
    assert "- assistant: 答え3" in text and "+ assistant: 新しい答え" in text
    assert "+ user: 直した質問5" in text


def test_a_changed_prompt_changes_all_examples(tmp_path: Path, call: Call) -> None:
    """The system prompt is part of every example; they are matched by their rows."""
    write(tmp_path, ROWS)
    call("run", "toy.yaml", "--until", "prepare")
    write(tmp_path, ROWS, system="長く。")
    text = call("data", "toy.yaml", "--diff", "--show", "2")
    assert "0 added, 0 removed, 30 changed" in text and "and 28 changed" in text
    assert "- system: 短く。" in text and "+ system: 長く。" in text


def test_long_texts_are_cut_where_they_differ() -> None:
    """One line of bounded length, from shortly before the first difference, with nothing that acts."""
    assert len(one_line("あ" * 500)) == 70
    assert one_line("x" * 300 + "DIFFERENT", start=300).endswith("xDIFFERENT")
    assert one_line("a\nb\x1b[31m") == "a b\\x1b[31m"


def test_check_tells_problems_by_code(tmp_path: Path, call: Call) -> None:
    """The verdict comes first; of a frequent code three are told and the places of others listed."""
    write(tmp_path, {**ROWS, **{f"空{number}": "" for number in range(20)}})
    text = call("check", "toy.yaml", code=2)
    assert text.splitlines()[1] == "20 errors, 0 warnings: fix the errors before training."
    assert text.count("the content is empty [empty_content]") == 3
    assert "… and 17 more: rows.csv:35, rows.csv:36" in text
    assert "`where: (a | trim) != ''` on the source" in text
    assert text.splitlines()[-1].startswith("Fix this and check again: ")


def test_check_says_why_less_is_billed_than_there_is(tmp_path: Path, call: Call) -> None:
    """Where an example is cut at the model's limit, the tokens to train are fewer than the file's."""
    write(tmp_path, {**ROWS, "長い": "長い話。" * 20_000})
    words = call("check", "toy.yaml")
    assert " tokens (without what is over the limit) × " in words
    assert "1 over the limit" in words


def test_a_data_file_in_the_place_of_an_experiment_leads_to_init(tmp_path: Path, call: Call) -> None:
    """`ftrun rows.csv` and `ftrun check rows.csv` say what to do first."""
    write(tmp_path, ROWS)
    for words in (["rows.csv"], ["check", "rows.csv"]):
        assert "this is a data file, not an experiment\n  tip: Draft" in call(*words, code=2)
    assert "ftrun init rows.csv" in call("plan", "rows.csv", code=2)


def test_check_shows_messages_where_they_vary(make: Any, chats: Any, tmp_path: Path, call: Call) -> None:
    """A histogram of messages is drawn for chats of different length, and the next step is named."""
    longer = json.dumps(
        {"messages": [*json.loads(chats([1]))["messages"], *json.loads(chats([2]))["messages"]]}
    )
    (tmp_path / "toy.yaml").write_text("version: 1\nname: toy\ndata: {sources: [{path: a.jsonl}]}\n", "utf-8")
    (tmp_path / "a.jsonl").write_text(chats(range(60)) + longer + "\n", "utf-8")
    text = call("check", "toy.yaml")
    assert "messages per example (train)" in text
    assert "toy.yaml" in text.splitlines()[-1] and text.splitlines()[-1].startswith("Run it: ")


def test_the_page_of_a_check(tmp_path: Path, call: Call) -> None:
    """`--html` writes one file with problems and good examples, beside the usual output."""
    write(tmp_path, {**ROWS, "空": ""})
    assert "Page: x.html" in call("check", "toy.yaml", "--html", "x.html", code=2)
    html = (tmp_path / "x.html").read_text("utf-8")
    assert "1 error, 0 warnings: fix the errors before training." in html
    assert '"file":"rows.csv","line":2' in html
    assert "script-src" in html and "unsafe" not in html


def test_a_page_of_many_examples_is_bounded(make: Any, chats: Any, tmp_path: Path) -> None:
    """At most 120 of training; the flagged and the longest are among them, always the same ones."""
    long = chats([7]).replace("質問7", "長い" * 5000)
    experiment = make({"a.jsonl": chats(range(100, 900)) + long})
    data.examine(experiment, folder=tmp_path / "out")
    problems = [{"file": str(tmp_path / "a.jsonl"), "line": 300, "code": "odd"}]
    place = next(iter(browsable(experiment, tmp_path / "out", [])))["file"]
    found = list(browsable(experiment, tmp_path / "out", [{**problems[0], "file": place}]))
    assert len(found) == 120
    assert [one["number"] for one in found] == sorted(one["number"] for one in found)
    tags = {one["line"]: one["tags"] for one in found}
    assert tags[300] == ["odd"] and "longest" in tags[801]
    (cut,) = (one for one in found if one["line"] == 801)
    assert (len(cut["turns"][0]["text"]), cut["turns"][0]["cut"]) == (4000, 6000)
    assert found == list(browsable(experiment, tmp_path / "out", [{**problems[0], "file": place}]))
