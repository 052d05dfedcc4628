"""`ftrun init` on other files and rows: chats, logs, preferences, ShareGPT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.cli import main
from ftrun.experiment.templates.rendering import Renderer

from .drafting import ENGLISH, JAPANESE, init, load, write_chats, write_csv, write_table


@pytest.mark.parametrize("kind", ["xlsx", "parquet", "sqlite", "csv.gz"])
def test_other_files_than_text(project: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """A workbook, a Parquet file, a database and a packed table become experiments that a check passes."""
    words = write_table(project / f"faq.{kind}", kind)
    document = init(capsys, f"faq.{kind}", *words)
    assert (document["columns"], document["rows"]) == ({"user": "質問", "assistant": "回答"}, 30)
    with pytest.raises(SystemExit) as exit_:
        main(["check", document["file"], "--json"])
    assert exit_.value.code == 0
    assert json.loads(capsys.readouterr().out)["files"]["train"]["examples"] == 24


def test_chat_rows_need_no_columns(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ready chats pass as they are, behind a system prompt that they lack."""
    write_chats(project / "chats.jsonl", JAPANESE, system=None)
    document = init(capsys, "chats.jsonl")
    experiment = load(document["file"])
    assert document["columns"] is None
    assert experiment.prompt.user is None
    assert experiment.prompt.system is not None
    assert "アシスタント" in experiment.prompt.system.text


def test_chat_rows_keep_their_own_system_prompt(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Chats that all have a system message get no other one, and no prompt file is written."""
    write_chats(project / "chats.jsonl", ENGLISH, system="You are a cat.")
    document = init(capsys, "chats.jsonl")
    assert document["written"] == ["configs/chats.yaml"]
    assert load(document["file"]).prompt.system is None


def test_the_input_beside_an_instruction_is_kept(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows of instruction, input and output put the input under the instruction where there is one."""
    rows = [
        {"instruction": f"Add {index}", "input": "1" if index % 2 else "", "output": "sum"}
        for index in range(20)
    ]
    (project / "alpaca.json").write_text(json.dumps(rows), encoding="utf-8")
    renderer = Renderer(load(init(capsys, "alpaca.json")["file"]))
    assert renderer.render_row(rows[0])[1]["content"] == "Add 0"
    assert renderer.render_row(rows[1])[1]["content"] == "Add 1\n\n1"


LOG = [
    ("C1", "2026/4/1 9:05", "お客様", "色は選べますか？"),
    ("C2", "2026/4/1 9:06", "お客様", "送料はいくらですか？"),
    ("C1", "2026/4/1 10:10", "サポート", "黒と白からお選びいただけます。"),
    ("C2", "2026/4/1 9:07", "サポート", "五百円です。"),
]


def test_a_chat_log_becomes_conversations(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows of one message are grouped, ordered and given roles, by the names of columns and speakers."""
    write_csv(project / "log.csv", ["会話ID", "日時", "発言者", "本文"], LOG)
    document = init(capsys, "log.csv")
    assert document["rows"] == 2
    assert list(document["columns"].values()) == ["会話ID", "日時", "発言者", "本文"]
    source = load(document["file"]).data.sources[0]
    assert (source.group_by, source.order_by) == (("会話ID",), "日時")
    assert dict(source.roles or {}) == {"user": ("お客様",), "assistant": ("サポート",)}
    found = data.examine(load(document["file"]))
    assert [problem.code for problem in found.errors] == ["too_few_examples"]


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["トークID", "日時", "送信者タイプ", "内容"], {"お客様": "User", "サポート": "Account"}),
        (["thread_ts", "ts", "user", "text"], {"お客様": "U01", "サポート": "B02"}),
    ],
)
def test_logs_of_line_and_slack_are_known(
    project: Path, capsys: pytest.CaptureFixture[str], names: list[str], roles: dict[str, str]
) -> None:
    """The columns of their exports make a chat log, not a question in one and an answer in another."""
    write_csv(project / "log.csv", names, [(one, when, roles[who], said) for one, when, who, said in LOG])
    document = init(capsys, "log.csv")
    assert list(document["columns"].values()) == names
    found = load(document["file"]).data.sources[0].roles
    assert dict(found or {}) == {"user": (roles["お客様"],), "assistant": (roles["サポート"],)}


def test_a_log_without_conversations_is_told_what_it_lacks(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who speaks and what is known, but not which rows belong together: no pair of columns is asked for."""
    rows = [(("User", "Account")[n % 2], f"発言{n}です") for n in range(40)]
    write_csv(project / "log.csv", ["送信者タイプ", "内容"], rows)
    error = init(capsys, "log.csv", code=2)["error"]
    assert "looks like a chat log" in error["hint"] and "`conversation`" in error["hint"]


def test_conversations_of_sharegpt_are_converted(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The experiment says that they become chats, and the check passes."""
    rows = [
        {"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": a}]} for q, a in ENGLISH
    ]
    (project / "share.json").write_text(json.dumps(rows, indent=1))
    experiment = load(init(capsys, "share.json")["file"])
    assert experiment.data.sources[0].shape == "chat"
    result = data.examine(experiment)
    assert (len(result.errors), result.as_dict()["files"]["train"]["examples"]) == (0, 24)


def test_questions_and_answers_in_a_row_are_no_log(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where columns are called question and answer, other ones that a log has make none of it."""
    rows = [("C1", "客店"[n % 2], "x", *pair) for n, pair in enumerate(JAPANESE)]
    write_csv(project / "faq.csv", ["会話ID", "発言者", "内容", "質問", "回答"], rows)
    assert init(capsys, "faq.csv")["columns"] == {"user": "質問", "assistant": "回答"}


def test_who_speaks_first_asks(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two speakers with names that say nothing the first asks, which a note says; more are asked for."""
    people = {"お客様": "佐藤", "サポート": "山田"}
    rows = [(one, when, people[who], said) for one, when, who, said in LOG]
    names = ["thread_id", "time", "speaker", "text"]
    write_csv(project / "log.csv", names, rows)
    document = init(capsys, "log.csv")
    assert document["guessed"] is True
    assert "'佐藤' asks" in document["notes"][0]
    roles = load(document["file"]).data.sources[0].roles
    assert dict(roles or {}) == {"user": ("佐藤",), "assistant": ("山田",)}
    write_csv(project / "log.csv", names, [*rows, ("C2", "9:09", "鈴木", "x")])
    document = init(capsys, "log.csv", "--force")
    assert "鈴木" in document["notes"][0]


@pytest.mark.parametrize("shape", ["ready", "columns", "messages", "no prompt"])
def test_preferences_are_trained_by_dpo(
    project: Path, capsys: pytest.CaptureFixture[str], shape: str
) -> None:
    """A better and a worse answer, however they are written, become an experiment without errors."""
    rows: list[dict[str, Any]] = []
    for question, answer in JAPANESE:
        other = f"知りません。{question}"
        better = [{"role": "assistant", "content": answer}]
        worse = [{"role": "assistant", "content": other}]
        asked = [{"role": "user", "content": question}]
        written: dict[str, dict[str, Any]] = {
            "ready": {
                "input": {"messages": asked},
                "preferred_output": better,
                "non_preferred_output": worse,
            },
            "columns": {"質問": question, "良い回答": answer, "悪い回答": other},
            "messages": {"prompt": asked, "chosen": better, "rejected": worse},
            "no prompt": {"chosen": asked + better, "rejected": asked + worse},
        }
        rows.append(written[shape])
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (project / "pairs.jsonl").write_text(text, encoding="utf-8")
    document = init(capsys, "pairs.jsonl")
    experiment = load(document["file"])
    assert document["method"] == experiment.train.method == "dpo"
    assert experiment.target.provider == "openai"
    assert data.examine(experiment).errors == ()
    assert "質問その" in (experiment.evaluation.prompts[0].user or "")


@pytest.mark.parametrize(
    ("name", "answer", "grader"),
    [
        ("answer", "正解", "string_check"),
        ("label", 7, "string_check"),
        ("only", "長い" * 30, "text_similarity"),
    ],
)
def test_questions_with_a_right_answer_get_a_grader(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, answer: object, grader: str
) -> None:
    """Chats that end with the question become reinforcement, judged by the field that has the answer."""
    rows = [{"messages": [{"role": "user", "content": asked}], name: answer} for asked, _ in JAPANESE]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (project / "tasks.jsonl").write_text(text, encoding="utf-8")
    document = init(capsys, "tasks.jsonl")
    experiment = load(document["file"])
    assert document["method"] == experiment.train.method == "reinforcement"
    assert experiment.train.grader is not None
    assert experiment.train.grader["type"] == grader
    assert experiment.train.grader["reference"] == f"{{{{ item.{name} }}}}"
    assert data.examine(experiment).errors == ()
    assert repr(name) in document["notes"][0]


def test_questions_without_a_clear_answer_get_no_grader(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where two fields could be the answer, a note says what rows for a grader take."""
    rows = [{"messages": [{"role": "user", "content": asked}], "x": 1, "y": 2} for asked, _ in JAPANESE]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (project / "tasks.jsonl").write_text(text, encoding="utf-8")
    document = init(capsys, "tasks.jsonl")
    assert document["method"] == "supervised"
    assert "grader" in document["notes"][0]


def test_rows_that_the_engine_cannot_train_on_get_another_target(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An experiment on rows with tools does not begin with a target that refuses them."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    rows = [
        {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}], "tools": tools}
        for q, a in ENGLISH
    ]
    (project / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    experiment = load(init(capsys, "chats.jsonl")["file"])
    assert experiment.target.provider == "openai"
    assert data.examine(experiment).errors == ()
