"""Recorded answers: a file stands for a candidate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftrun.errors import DataError, UserError
from ftrun.evaluation.recorded import read_recorded
from ftrun.scoring.types import Sample

SAMPLES = tuple(Sample(id=one, turns=({"role": "user", "content": one},)) for one in ("a", "b"))


def written(folder: Path, *lines: Any) -> Path:
    """Write lines: values as JSON, texts as they are."""
    path = folder / "old.jsonl"
    texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in lines]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def test_prompt_id_and_answer_are_enough(tmp_path: Path) -> None:
    """The question is the sample's, the model is unknown, and a byte order mark doesn't matter."""
    path = written(tmp_path, {"prompt_id": "b", "answer": "はい"}, "", {"prompt_id": "a", "answer": ""})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    found = read_recorded("old", path, SAMPLES)
    assert {one.prompt_id: one.answer for one in found.records} == {"a": "", "b": "はい"}
    assert [one.candidate for one in found.records] == ["old", "old"]
    assert found.records[0].messages == SAMPLES[1].messages
    assert (found.model, found.missing, found.extra, list(found.notes())) == (None, (), (), [])


def test_whole_lines_of_answers_jsonl_keep_what_they_know(tmp_path: Path) -> None:
    """Model, messages, usage, seconds and refusal; what the present question expects is the sample's."""
    line = {
        "prompt_id": "a",
        "candidate": "tuned",
        "model": "ft:old",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}],
        "answer": "x",
        "expect": {"contains": "y"},
        "usage": {"completion_tokens": 3},
        "seconds": 1.5,
        "refusal": "model",
    }
    (record,) = read_recorded("old", written(tmp_path, line), SAMPLES).records
    assert (record.model, record.seconds, record.refusal) == ("ft:old", 1.5, "model")
    assert (record.messages[0]["content"], record.usage) == ("s", {"completion_tokens": 3})
    assert record.expect is None


def test_of_several_candidates_the_one_of_the_name_counts(tmp_path: Path) -> None:
    """Else the tuned model's answers, which is said; else it is an error."""
    both = [{"prompt_id": "a", "answer": name, "candidate": name} for name in ("base", "tuned")]
    path = written(tmp_path, *both)
    assert [one.answer for one in read_recorded("base", path, SAMPLES).records] == ["base"]
    old = read_recorded("old", path, SAMPLES)
    assert [one.answer for one in old.records] == ["tuned"]
    assert "those of tuned are used" in next(old.notes())
    others = [{**one, "candidate": f"{one['candidate']}-2"} for one in both]
    with pytest.raises(UserError, match="'base-2', 'tuned-2'"):
        read_recorded("old", written(tmp_path, *others), SAMPLES)


def test_extra_answers_are_a_note_and_missing_ones_are_counted(tmp_path: Path) -> None:
    """Neither stops the evaluation."""
    path = written(tmp_path, *({"prompt_id": one, "answer": "x"} for one in ("a", "c", "d")))
    found = read_recorded("old", path, SAMPLES)
    assert (found.missing, found.extra) == (("b",), ("c", "d"))
    (note,) = found.notes()
    assert "2 questions that are not asked and therefore ignored: 'c', 'd'" in note


def test_answers_of_which_none_matches_name_ids_of_both(tmp_path: Path) -> None:
    """That is a mistake, not an empty candidate."""
    path = written(tmp_path, *({"prompt_id": f"test:{one}", "answer": "x"} for one in "vwxyz"))
    with pytest.raises(UserError) as caught:
        read_recorded("old", path, SAMPLES)
    assert "they are for 'test:v', 'test:w', 'test:x', …" in str(caught.value)
    assert "the questions are 'a', 'b'" in str(caught.value)
    assert caught.value.exit_code == 2
    with pytest.raises(UserError, match="the file has none"):
        read_recorded("old", written(tmp_path, ""), SAMPLES)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"prompt_id": 3, "answer": "x"}', "`prompt_id`"),
        ('{"prompt_id": "a"}', "`answer`"),
    ],
)
def test_broken_lines_are_named(tmp_path: Path, line: str, words: str) -> None:
    """All of them, each with its line."""
    with pytest.raises(DataError) as caught:
        read_recorded("old", written(tmp_path, {"prompt_id": "a", "answer": "x"}, line, line), SAMPLES)
    assert [problem.line for problem in caught.value.problems] == [2, 3]
    assert words in caught.value.problem.message
    assert str(caught.value) == caught.value.problem.message  # so that it is printed once


def test_two_answers_to_one_question_need_numbers(tmp_path: Path) -> None:
    """Which one counts is not for us to say; `repeat` makes them several answers."""
    lines = [{"prompt_id": "a", "answer": one} for one in ("x", "y")]
    with pytest.raises(DataError, match="first in line 1") as caught:
        read_recorded("old", written(tmp_path, *lines), SAMPLES)
    assert caught.value.problem.line == 2
    numbered = [{**line, "repeat": number} for number, line in enumerate(lines)]
    found = read_recorded("old", written(tmp_path, *numbered), SAMPLES)
    assert [one.repeat for one in found.records] == [0, 1]


def test_a_missing_file_is_an_error_of_the_user(tmp_path: Path) -> None:
    """It may have been moved after the experiment file was checked."""
    with pytest.raises(UserError, match="can't be read"):
        read_recorded("old", tmp_path / "gone.jsonl", SAMPLES)
