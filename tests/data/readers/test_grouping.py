"""Several rows become one conversation: grouped, ordered, with roles, from a chat log as people have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.experiment.model import Prompt, RowSample, Template

LOG = """\
thread,time,role,content
b,10:00,user,こんにちは
a,9:05,assistant,はい、開いています。
a,9:01,user,今日は開いていますか
a,10:30,user,ありがとう
b,10:02,assistant,いらっしゃいませ
c,11:00,user,もしもし
"""
GROUPED = {"group_by": ("thread",), "order_by": "time"}


def prepared(experiment: Any, folder: Path) -> list[Any]:
    """Return the rows of the training file."""
    data.prepare(experiment, folder)
    return [json.loads(line) for line in (folder / "train.jsonl").read_text("utf-8").splitlines()]


def test_a_chat_log(make: Any, tmp_path: Path) -> None:
    """Rows of a thread become a chat in the order of their times, up to the last answer."""
    made = make({"a.csv": LOG}, source=GROUPED)
    rows = prepared(made, tmp_path / "out")
    assert [[(one["role"], one["content"]) for one in row["messages"]] for row in rows] == [
        [("user", "こんにちは"), ("assistant", "いらっしゃいませ")],
        [("user", "今日は開いていますか"), ("assistant", "はい、開いています。")],
    ]
    warnings = {one.code: one.line for one in data.examine(made).warnings}
    assert warnings["group_end"] == 5
    assert warnings["group_without_answer"] == 7
    assert "ignored_key" not in warnings


def test_a_row_of_a_log_without_its_thread_is_told_at_its_line(make: Any) -> None:
    """In JSON rows have keys of their own: one that lacks the thread is told, with how to leave it out."""
    said = [("user", "もしもし"), ("assistant", "はい")]
    rows = [{"thread": n, "role": role, "content": f"{text}{n}"} for n in range(12) for role, text in said]
    lone = {"role": "user", "content": "誰か？"}
    text = "".join(json.dumps(row) + "\n" for row in [*rows, lone])
    (error,) = data.examine(make({"a.jsonl": text}, source={"group_by": ("thread",)})).errors
    assert (error.code, error.line) == ("group_value", 25)
    where = "row['thread'] is defined"
    assert where in str(error.hint)
    assert not data.examine(make({"a.jsonl": text}, source={"group_by": ("thread",), "where": where})).errors


def threads(number: int) -> str:
    """Return a log in which first all ask and then all are answered."""
    asked = "".join(f"t{one},1,user,質問{one}\n" for one in range(number))
    return (
        "thread,time,role,content\n"
        + asked
        + "".join(f"t{one},2,assistant,答え{one}\n" for one in range(number))
    )


def said(rows: list[Any]) -> list[str]:
    """Return the question of each chat, which must be whole."""
    assert all([one["role"] for one in row["messages"]] == ["user", "assistant"] for row in rows)
    return [row["messages"][0]["content"] for row in rows]


def test_limit_and_sample_take_whole_conversations(make: Any, tmp_path: Path) -> None:
    """The first conversations, or drawn ones that stay drawn when others are added; none is torn apart."""
    files = {"a.csv": threads(40)}
    limited = make(files, source={**GROUPED, "limit": 12})
    assert said(prepared(limited, tmp_path / "limit")) == [f"質問{one}" for one in range(12)]
    drawn: list[set[str]] = []
    for number in (40, 44):
        made = make({"a.csv": threads(number)}, source={**GROUPED, "sample": RowSample(size=20, seed=7)})
        drawn.append(set(said(prepared(made, tmp_path / str(number)))))
    assert [len(one) for one in drawn] == [20, 20]
    assert len(drawn[0] & drawn[1]) >= 16
    chosen = {**GROUPED, "where": "content != '質問3' and content != '答え3'", "limit": 11}
    assert "質問3" not in said(prepared(make(files, source=chosen), tmp_path / "where"))


def test_a_sample_that_draws_no_conversation(make: Any) -> None:
    """It is blamed on the sample, with the number of conversations."""
    made = make({"a.csv": threads(12)}, source={**GROUPED, "sample": RowSample(size=0.000001, seed=7)})
    (error,) = data.examine(made).errors
    assert (error.code, "12 conversations" in error.message) == ("nothing_chosen", True)


def test_own_names_of_columns_and_roles(make: Any, tmp_path: Path) -> None:
    """`columns` renames, `roles` says who is who, and an unknown speaker is told with the way out."""
    text = "会話,話者,発言\n1,客,開いてる？\n1,店員,はい\n2,客,値段は？\n2,AI,百円です\n"
    source = {
        "group_by": ("会話",),
        "columns": {"role": "話者", "content": "発言"},
        "roles": {"user": ("客",), "assistant": ("店員", "AI")},
    }
    rows = prepared(make({"a.csv": text}, source=source), tmp_path / "out")
    assert [row["messages"][1]["content"] for row in rows] == ["はい", "百円です"]
    source["roles"] = {"user": ("客",), "assistant": ("店員",)}
    (error,) = [
        one for one in data.examine(make({"a.csv": text}, source=source)).errors if one.code == "group_role"
    ]
    assert error.line == 5
    assert "AI" in str(error.hint)


def test_a_flaw_stands_at_the_line_of_its_message(make: Any) -> None:
    """An empty message is told at its own line, not at that of the conversation."""
    made = make({"a.csv": LOG.replace("いらっしゃいませ", "")}, source=GROUPED)
    assert [(one.code, one.line) for one in data.examine(made).errors][:1] == [("empty_content", 6)]


def test_templates_see_the_rows(make: Any, tmp_path: Path) -> None:
    """With templates a conversation's rows are the list `rows`, and columns that are the same throughout."""
    prompt = Prompt(
        user=Template(text="{{ item }}: {% for one in rows %}{{ one.review }};{% endfor %}"),
        assistant=Template(text="{{ verdict }}"),
    )
    text = "item,review,verdict\npen,good,buy\ncup,bad,no\npen,fine,buy\n"
    rows = prepared(make({"a.csv": text}, source={"group_by": ("item",)}, prompt=prompt), tmp_path / "out")
    assert [row["messages"][0]["content"] for row in rows] == ["pen: good;fine;", "cup: bad;"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("thred,time,role,content\na,1,user,x\n", "group_column"),
        ("thread,time,role,content\n,1,user,x\n", "group_value"),
        ("thread,time,speaker,content\na,1,user,x\n", "group_messages"),
    ],
)
def test_what_a_log_may_lack(make: Any, text: str, code: str) -> None:
    """A column or a value that grouping needs is an error, told once."""
    assert [one.code for one in data.examine(make({"a.csv": text}, source=GROUPED)).errors] == [code]


def test_numbers_order_by_value(make: Any, tmp_path: Path) -> None:
    """9 stands before 10, 1.25 before 1.5, and dates by their numbers."""
    for times in (("9", "10"), ("1.25", "1.5"), ("2024/1/9 9:00", "2024/1/10 8:00"), ("９", "１０")):
        text = f"thread,time,role,content\na,{times[1]},assistant,2\na,{times[0]},user,1\n"
        (row,) = prepared(make({"a.csv": text}, source=GROUPED), tmp_path / "out")
        assert [one["content"] for one in row["messages"]] == ["1", "2"]
