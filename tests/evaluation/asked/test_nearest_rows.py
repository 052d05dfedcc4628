"""Which training rows are nearest to a question."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftrun.evaluation.asked.nearest_rows import TrainingRows, terms, training_rows, usable


def chat(question: str, answer: str, system: str | None = None) -> dict[str, Any]:
    """Return a training example."""
    head = [] if system is None else [{"role": "system", "content": system}]
    return {
        "messages": [
            *head,
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


def rows(*pairs: tuple[str, str]) -> TrainingRows:
    """Return training rows of questions and answers."""
    return TrainingRows(list(usable(chat(*pair) for pair in pairs)))


def answers(found: list[Any]) -> list[str]:
    """Return the answers of rows."""
    return [row.answer for row in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("When does the Desk open?", ["when", "does", "the", "desk", "open"]),
        ("Ｗｉ-Ｆｉの料金", ["wi", "fi", "の料", "料金"]),
        ("窓口は何時？", ["窓口", "口は", "は何", "何時"]),
        ("猫", ["猫"]),
        ("서울 시청", ["서울", "시청"]),
        ("iPhone15を買う", ["iphone15", "を買", "買う"]),
        ("?! …", []),
    ],
)
def test_texts_are_looked_for_by_words_or_pairs_of_characters(text: str, found: list[str]) -> None:
    """Words where there are spaces; pairs of characters in Japanese, Chinese, Korean; in any width."""
    assert terms(text) == found


def test_the_nearest_questions_come_first() -> None:
    """Japanese and English; more common words count less."""
    known = rows(
        ("駐車場は何時までですか", "夜九時までです"),
        ("朝食は何時からですか", "七時からです"),
        ("When does the gym open?", "At six."),
        ("駐車場の料金はいくらですか", "一泊千円です"),
    )
    assert answers(known.examples("駐車場はいくらですか", 2)) == ["一泊千円です", "夜九時までです"]
    assert answers(known.examples("what time does the gym open", 1)) == ["At six."]


def test_documents_are_found_by_their_answers_too() -> None:
    """Retrieval looks at whole rows, and leaves out those without a word of the question."""
    known = rows(("館内の設備", "露天風呂は朝五時からです"), ("Parking", "Free of charge."))
    assert answers(known.documents("露天風呂に入りたい", 3)) == ["露天風呂は朝五時からです"]
    assert known.documents("zzz", 3) == []
    assert len(known.examples("zzz", 3)) == 2


def test_a_question_of_the_training_data_never_sees_itself() -> None:
    """All rows that ask it are left out, however they are spelled; the next ones take their place."""
    known = rows(
        ("営業時間は？", "十時から"),
        ("営業時間は？ ", "十時からです"),
        ("営業時間を教えて", "十時です"),
        ("定休日は？", "月曜です"),
    )
    found = known.examples("営業時間は？", 2, but="営業時間は？")
    assert answers(found) == ["十時です", "月曜です"]
    assert "十時から" in answers(known.examples("営業時間は？", 2))
    told = answers(known.documents("営業時間は？", 9, but="営業時間は？"))
    assert not {"十時から", "十時からです"} & set(told)


def test_equal_rows_keep_the_order_of_the_file_on_every_machine(tmp_path: Path) -> None:
    """Neither hash seeds nor equal scores change what is found."""
    path = tmp_path / "train.jsonl"
    path.write_text(
        "".join(json.dumps(chat(f"same words here {n % 3}", f"answer {n}")) + "\n" for n in range(40)),
        encoding="utf-8",
    )
    code = (
        "import sys; from pathlib import Path\n"
        "from ftrun.evaluation.asked.nearest_rows import training_rows\n"
        "found = training_rows(Path(sys.argv[1]), None)\n"
        "print([one.answer for one in found.examples('words same 1', 5)], "
        "[one.answer for one in found.documents('here 2 same', 5)])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code, str(path)],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert "['answer 1', 'answer 4', 'answer 7', 'answer 10', 'answer 13']" in said.pop()


def test_only_chats_of_texts_that_end_with_an_answer_are_examples() -> None:
    """Of a preference the better answer; tool calls, images and questions alone are no examples."""
    preference = {
        "input": {"messages": [{"role": "user", "content": "a?"}]},
        "preferred_output": [{"role": "assistant", "content": "good"}],
        "non_preferred_output": [{"role": "assistant", "content": "bad"}],
    }
    call = {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {}}]}
    found = list(
        usable(
            [
                chat("b?", "c", system="s"),
                preference,
                {"messages": [{"role": "user", "content": "only a question"}]},
                {"messages": [{"role": "user", "content": "x"}, call]},
                {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}, call]},
                {"prompt": "old", "completion": "form"},
            ]
        )
    )
    assert [(one.question, one.answer) for one in found] == [("b?", "c"), ("a?", "good")]
    assert [turn["role"] for turn in found[0].turns] == ["user", "assistant"]


def test_without_a_training_file_there_are_no_rows(tmp_path: Path) -> None:
    """An experiment that trains nothing has none."""
    assert training_rows(tmp_path / "train.jsonl", None).rows == ()
    assert rows().examples("x", 3) == []
    assert rows(("?!", "…")).documents("x", 3) == []
