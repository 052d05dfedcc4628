"""Failed eval cases become rows that wait for an answer, in the form of the experiment's rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftrun.augment.failed_cases import entries_of, failed_cases
from ftrun.augment.row_texts import row_texts_of
from ftrun.errors import UsageError
from ftrun.evaluation.answer_files import write_records
from ftrun.evaluation.answers import Record
from ftrun.experiment.model import CandidateSpec, Evaluation
from ftrun.scoring.types import SampleSet

from .conftest import CONFIG, Build

USUAL = Evaluation(
    candidates=tuple(CandidateSpec(name=name, model=name, plain=True) for name in ("tuned", "base"))
)


def record(
    name: str,
    text: str,
    *,
    candidate: str = "tuned",
    passed: bool | None = False,
    of_set: SampleSet = "prompts",
    repeat: int = 0,
) -> Record:
    """Return the answer `だめ` of a candidate."""
    return Record(
        prompt_id=name,
        candidate=candidate,
        model="ft:x",
        messages=({"role": "system", "content": "短く"}, {"role": "user", "content": text}),
        answer="だめ",
        expect={"contains": "よい"},
        passed=passed,
        usage={},
        seconds=0.1,
        cache_key=name + candidate,
        failures=("does not contain “よい”",),
        set=of_set,
        repeat=repeat,
    )


def test_only_failures_of_the_tuned_model_count(tmp_path: Path) -> None:
    """Other candidates, passed cases and those without `expect` don't count; without answers it says so."""
    with pytest.raises(UsageError, match="not been evaluated yet"):
        failed_cases(tmp_path, USUAL)
    records = [record("a", "?"), record("b", "?", candidate="base"), record("c", "?", passed=True)]
    write_records(tmp_path, [*records, record("d", "?", passed=None)])
    assert [one.prompt_id for one in failed_cases(tmp_path, USUAL)] == ["a"]


def test_nobody_learns_what_tests_are_for(tmp_path: Path) -> None:
    """Failures in the test split and in general questions stay out; those in recall questions don't."""
    sets: tuple[SampleSet, ...] = ("test", "general", "recall", "prompts")
    write_records(tmp_path, [record(name, "?", of_set=name) for name in sets])
    assert [one.prompt_id for one in failed_cases(tmp_path, USUAL)] == ["recall", "prompts"]


def test_the_trained_candidate_counts_whatever_it_is_called(tmp_path: Path) -> None:
    """A mapping with another name may stand for the tuned model; one question fails once, however often."""
    answers = [record("a", "?", candidate="mine"), record("a", "?", candidate="mine", repeat=1)]
    write_records(tmp_path, [*answers, record("b", "?", candidate="base")])
    named = CandidateSpec(name="mine", model="tuned", system=None, own_system=True)
    evaluation = Evaluation(candidates=(CandidateSpec(name="base", model="base"), named))
    assert [one.prompt_id for one in failed_cases(tmp_path, evaluation)] == ["a"]


def test_a_failure_shows_the_wrong_answer_and_waits_for_a_right_one(build: Build) -> None:
    """The wrong answer is on the old side with the reason; the new answer is empty."""
    experiment = build()
    [entry], _ = entries_of(experiment, row_texts_of(experiment), [record("a", "開いてる？")], "now", "run")
    assert (entry.old, entry.new) == ({"q": "開いてる？", "a": "だめ"}, {"q": "開いてる？", "a": ""})
    assert entry.note == "does not contain “よい”"
    assert entry.made["prompt_id"] == "a"


def test_the_way_back_through_a_template_is_found_or_the_case_left_out(build: Build) -> None:
    """`Q: {{ q }}` gives the column of `Q: text`; a question that no column makes is told."""
    experiment = build(CONFIG.replace('"{{ q }}"', '"Q: {{ q }}!"'))
    row_texts = row_texts_of(experiment)
    found, left_out = entries_of(
        experiment, row_texts, [record("a", "Q: x!"), record("b", "x")], "now", "run"
    )
    assert [entry.new["q"] for entry in found] == ["x"]
    assert left_out == ["b"]
    upper = build(CONFIG.replace('"{{ q }}"', '"{{ q | upper }}"'))
    found, left_out = entries_of(upper, row_texts, [record("a", "ABC"), record("b", "abc")], "now", "run")
    assert (found[0].new["q"], left_out) == ("ABC", ["b"])


def test_a_failure_of_chat_rows_is_a_whole_chat(build: Build) -> None:
    """The conversation as it was asked, with room for the answer."""
    experiment = build(CONFIG.replace('prompt: {user: "{{ q }}", assistant: "{{ a }}"}\n', ""))
    row_texts = row_texts_of(experiment)
    [entry], _ = entries_of(experiment, row_texts, [record("a", "開いてる？")], "now", "run")
    row = row_texts.row(entry.rest, {**entry.new, "answer": "はい。"})
    assert [one["content"] for one in row["messages"]] == ["短く", "開いてる？", "はい。"]
