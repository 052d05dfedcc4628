"""Who is asked, and what each candidate is sent."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.asked.test_nearest_rows import rows
from ftrun.evaluation.asked.candidates import (
    BUILT_IN,
    KnownModels,
    few_shot_of,
    meaning_of,
    needs_rows,
    needs_training,
    request_messages,
    retrieval_of,
)
from ftrun.experiment.model import CandidateSpec
from ftrun.scoring.types import Sample

KNOWN = KnownModels(base="m", tuned="ft:m:1", checkpoints={"ckpt-step-7": "ft:m:1:ckpt-step-7"})
ROWS = rows(("朝食は何時ですか", "七時です"), ("夕食は何時ですか", "六時です"), ("犬は泊まれますか", "はい"))
ASKED = Sample(id="q", turns=({"role": "user", "content": "朝食は何時からですか"},), system="案内係です。")


def spec(name: str, **more: Any) -> CandidateSpec:
    """Return an entry of `eval.models`."""
    return CandidateSpec(name=name, model=more.pop("model", name), **more)


def sent(candidate: CandidateSpec, sample: Sample = ASKED) -> list[tuple[str, str]]:
    """Return the messages that a candidate is sent, as pairs."""
    return [(one["role"], one["content"]) for one in request_messages(sample, candidate, ROWS)]


@pytest.mark.parametrize(
    ("name", "model", "trained"),
    [
        ("tuned", "ft:m:1", True),
        ("base", "m", False),
        ("few-shot", "m", False),
        ("retrieval", "m", False),
        ("ckpt-step-7", "ft:m:1:ckpt-step-7", True),
        ("ckpt-step-8", None, True),
        ("gpt-4.1", "gpt-4.1", False),
    ],
)
def test_what_a_name_stands_for(name: str, model: str | None, trained: bool) -> None:
    """Built-in names and checkpoints are resolved; every other name is a model's id."""
    assert (meaning_of(name).model(KNOWN), needs_training(spec(name))) == (model, trained)
    assert (name in BUILT_IN) == (name in ("tuned", "base", "few-shot", "retrieval"))


@pytest.mark.parametrize("name", ["tuned", "base", "gpt-4.1", "ckpt-step-7"])
def test_plain_candidates_get_the_experiments_system_prompt(name: str) -> None:
    """And the question, nothing else: what earlier versions sent."""
    assert sent(spec(name)) == [("system", "案内係です。"), ("user", "朝食は何時からですか")]
    assert not needs_rows(spec(name))


def test_few_shot_shows_the_nearest_examples_the_nearest_last() -> None:
    """As turns between the system prompt and the question."""
    assert sent(spec("few-shot")) == [
        ("system", "案内係です。"),
        ("user", "犬は泊まれますか"),
        ("assistant", "はい"),
        ("user", "夕食は何時ですか"),
        ("assistant", "六時です"),
        ("user", "朝食は何時ですか"),
        ("assistant", "七時です"),
        ("user", "朝食は何時からですか"),
    ]


def test_retrieval_puts_the_nearest_rows_into_the_system_prompt() -> None:
    """In the language of the data, below the experiment's own prompt."""
    (role, system), question = sent(spec("retrieval", retrieval=1))
    assert (role, question) == ("system", ("user", "朝食は何時からですか"))
    assert system == (
        "案内係です。\n\n次の質問と回答は、今回の質問に近いものです。役に立つものは参考にしてください。\n\n"
        "質問: 朝食は何時ですか\n回答: 七時です"
    )
    english = rows(("When is breakfast?", "At seven in the morning, and it is served on the first floor."))
    asked = Sample(id="q", turns=({"role": "user", "content": "When is breakfast served?"},))
    (found, _) = request_messages(asked, spec("retrieval"), english)
    assert found["content"] == (
        "These questions and answers are close to the question you will get. Use those that help.\n\n"
        "Question: When is breakfast?\nAnswer: At seven in the morning, and it is served on the first floor."
    )


def test_mappings_combine_them() -> None:
    """A better system prompt or none, few examples, the tuned model with retrieval."""
    none = spec("bare", model="base", own_system=True)
    assert sent(none) == [("user", "朝食は何時からですか")]
    better = spec("better", model="base", own_system=True, system="丁寧に。", few_shot=1)
    assert [role for role, _ in sent(better)] == ["system", "user", "assistant", "user"]
    assert sent(better)[0] == ("system", "丁寧に。")
    both = spec("tuned+docs", model="tuned", retrieval=2)
    assert sent(both)[0][1].count("質問: ") == 2 and needs_training(both) and needs_rows(both)
    assert (few_shot_of(spec("x", model="few-shot", few_shot=5)), retrieval_of(spec("retrieval"))) == (5, 3)
    assert not needs_rows(spec("few-shot", few_shot=0))


def test_a_question_with_a_system_prompt_of_its_own_keeps_it() -> None:
    """Also where the candidate has another; retrieved rows come below it."""
    own = Sample(id="q", turns=ASKED.turns, system="別。", own_system=True)
    other = spec("better", model="base", own_system=True, system="丁寧に。")
    assert sent(other, own)[0] == ("system", "別。")
    assert sent(spec("retrieval"), own)[0][1].startswith("別。\n\n次の")


def test_whole_conversations_and_parts_are_looked_for_by_their_last_question() -> None:
    """Earlier turns are sent, but not looked for."""
    turns = (
        {"role": "user", "content": "犬は泊まれますか"},
        {"role": "assistant", "content": "はい"},
        {"role": "user", "content": [{"type": "text", "text": "夕食は何時ですか"}]},
    )
    found = request_messages(Sample(id="q", turns=turns), spec("few-shot", few_shot=1), ROWS)
    assert [one["content"] for one in found[:2]] == ["夕食は何時ですか", "六時です"]
    assert found[2:] == turns


def test_a_recall_question_is_not_among_its_examples() -> None:
    """It would only have to be copied."""
    asked = Sample(id="q", turns=({"role": "user", "content": "朝食は何時ですか"},), set="recall")
    assert ("assistant", "七時です") not in sent(spec("few-shot"), asked)
    assert "七時です" not in sent(spec("retrieval"), asked)[0][1]
