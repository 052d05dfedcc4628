# ruff: noqa: E501 - tables of texts stand in lines
"""The data as a whole: what is found, what isn't, and with which places."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.experiment.model import EvalPrompt, Evaluation

from .clean import ANIMALS, ENGLISH, JAPANESE, LONG, VERBS, lines, plain, row
from .conftest import Look


@pytest.mark.parametrize("pairs", [ENGLISH, JAPANESE, (*ENGLISH, *JAPANESE)])
def test_clean_texts_give_nothing(look: Look, pairs: Any) -> None:
    """Everyday questions and answers, in one language or two, give no findings."""
    assert look(row(*pair) for pair in pairs) == {}
    assert look(row(question, answer, system="Be kind.") for question, answer in pairs) == {}


def test_varied_rows_give_nothing(look: Look) -> None:
    """A hundred short rows that differ in one word are not near-duplicates."""
    assert look(map(plain, range(100))) == {}


def test_labels_are_no_imbalance(look: Look) -> None:
    """A few short answers to many questions are labels; it is only a finding if nearly all are the same."""
    text = [f"{ANIMALS[n % 15]}が{VERBS[n // 15 % 8]}のを見た" for n in range(100)]
    even = [row(said, ("良い", "悪い")[n % 2]) for n, said in enumerate(text)]
    assert look(even) == {}
    uneven = [row(said, "良い" if n % 10 else "悪い") for n, said in enumerate(text)]
    assert set(look(uneven)) == {"same_answer"}


def test_contradictions_name_both_places(look: Look) -> None:
    """The same question with different case and space, answered differently; equal answers are fine."""
    rows = [
        *map(plain, range(20)),
        row("Is the shop open?", "Yes, all day."),
        row("is the  shop open", "No, never."),
    ]
    told = look([*rows, row("Is the shop open ?", "yes, all day")])["contradiction"]
    assert told.line == 22
    assert "“No, never.” here" in told.message
    assert "“Yes, all day.” at" in told.message
    assert "a.jsonl:21" in told.message
    assert "2 rows" not in told.message


def test_another_width_is_no_contradiction(look: Look) -> None:
    """The same answer in other characters is the same answer."""
    rows = [
        row("いつ届きますか？", "発送後２～3日でお届けします。"),
        row("いつ届きますか", "発送後2〜3日でお届けします"),
    ]
    assert "contradiction" not in look([*map(plain, range(20)), *rows])


def test_another_system_prompt_is_no_contradiction(look: Look) -> None:
    """What was said before makes it another question."""
    rows = [row("やあ", "こんにちは。", "丁寧に"), row("やあ", "おう。", "乱暴に")]
    assert "contradiction" not in look([*map(plain, range(20)), *rows])


def test_eval_prompts_in_training_are_recall(make: Any, tmp_path: Path) -> None:
    """Prompts that training asks, exactly or nearly, are noted by id and are not an error."""
    asked = "人間は死んだ後どうなりますか？"
    rows = [*map(plain, range(20)), row(asked.rstrip("？") + "?", "誰にも分かりません。"), row(LONG, "Yes.")]
    prompts = (
        EvalPrompt(id="death", user=asked),
        EvalPrompt(id="ferry", messages=({"role": "user", "content": LONG.replace("last ", "")},)),
        EvalPrompt(id="new", user="Windowsと他の機種、どちらがおすすめですか？"),
    )
    experiment = make({"a.jsonl": lines(rows)}, evaluation=Evaluation(prompts=prompts))
    result = data.examine(experiment)
    assert result.recall == ("death", "ferry")
    assert result.as_dict()["recall"] == ["death", "ferry"]
    assert [(one.code, one.line) for one in result.notes] == [("recall", 21), ("recall", 22)]
    assert result.notes[0].message.startswith("eval.prompts.death: this question")
    assert result.notes[1].message.startswith("eval.prompts.ferry: nearly this question")
    assert not result.errors
    folder = tmp_path / "out"
    assert data.recalled(experiment, folder) == frozenset()
    data.prepare(experiment, folder)
    assert data.recalled(experiment, folder) == {"death", "ferry"}
    assert data.check(experiment, folder).recall == ("death", "ferry")


def test_the_past_is_polite_too(look: Look) -> None:
    """でした and ました are です・ます, no matter what they end with."""
    rows = [row(f"{one}はどうでしたか？", f"{one}は元気でした。") for one in ANIMALS]
    rows += [row(f"{one}は来ますか？", f"はい、{one}も来ました。") for one in ANIMALS]
    assert "style_mix" not in look(rows)


def test_phrases_need_no_full_stop(look: Look) -> None:
    """Names and phrases among whole sentences are not a mix; sentences with and without end mark are."""
    rows = [row(f"{one}を見ましたか？", f"はい、庭で{one}を見ました。") for one in ANIMALS]
    phrases = [row(f"{one}がいるのは何時ですか？", f"午前九時から{one}が眠るまで") for one in ANIMALS]
    assert "ending_mix" not in look(rows + phrases)
    open_ended = [row(f"{one}は好きですか？", f"はい、{one}はとても好きです") for one in ANIMALS]
    assert "ending_mix" in look(rows + open_ended)


@pytest.mark.parametrize(
    "answer",
    [
        "申し訳ございませんが、在庫がないため即日発送には対応できません。",
        "残念ながら、代引きには対応できません。",
        "AIとしての歴史は1956年に始まります。",
        "生成AIとしては文章を書くものが有名です。",
    ],
)
def test_what_is_not_offered_is_no_refusal(look: Look, answer: str) -> None:
    """An answer that says no to a customer is an answer."""
    rows = [plain(number) for number in range(30)]
    assert "refusals" not in look(rows + [row(f"{one}は？", f"{answer}{one}。") for one in ANIMALS[:4]])


def refusal(number: int) -> dict[str, Any]:
    """Return a row that refuses."""
    answers = (
        "I'm sorry, but I can't help with that.",
        "申し訳ありませんが、その質問にはお答えできません。",
        "AIとしては、何とも言えません。",
    )
    return row(plain(100 + number)["messages"][0]["content"], answers[number % 3])


def other_language(number: int) -> dict[str, Any]:
    """Return a row that answers Japanese in English."""
    return row(plain(100 + number)["messages"][0]["content"], "They do so whenever they like to, I think.")


def detail(number: int) -> dict[str, Any]:
    """Return a row with an address and a number that nobody gave."""
    return row(
        plain(number)["messages"][0]["content"],
        f"https://shop.test/{number}7{number} を見て、{number}4{number}7円払います。",
    )


@pytest.mark.parametrize(
    ("code", "rows"),
    [
        ("refusals", map(refusal, range(3))),
        ("style_mix", (row(plain(100 + n)["messages"][0]["content"], f"{ANIMALS[n]}が{VERBS[n % 8]}のは夜だ。") for n in range(12))),
        ("ending_mix", (row(plain(80 + n)["messages"][0]["content"], f"{ANIMALS[n % 15]}がよく{VERBS[n % 7]}のは、夜の間です") for n in range(20))),
        ("language_mix", map(other_language, range(2))),
        ("full_width", (row(plain(100 + n)["messages"][0]["content"], ("１２回です。", "34回です。")[n % 2]) for n in range(4))),
        ("unsupported", map(detail, range(100, 110))),
        ("length_outlier", [row("長い話は？", "".join(f"{one}と{two}と" for one in ANIMALS for two in ANIMALS) + "です。")]),
        ("system_mix", [row("系は？", "系です。", "You are a cat.")]),
        ("same_answer", (row(plain(100 + n)["messages"][0]["content"], "それは誰にも分かりません。") for n in range(15))),
        ("same_opening", (row(plain(80 + n)["messages"][0]["content"], f"ご質問ありがとうございます。{VERBS[n % 8]}{ANIMALS[n % 15]}です。") for n in range(40))),
        ("one_topic", (row(f"{ANIMALS[n % 15]}のプログラムは{VERBS[n % 8]}か", plain(n)["messages"][1]["content"]) for n in range(100))),
    ],
)  # fmt: skip
def test_each_flaw_of_the_whole_is_told(look: Look, code: str, rows: Iterable[dict[str, Any]]) -> None:
    """The flaw is reported once, and the other rows give no reason for more."""
    told = look([*map(plain, range(60)), *rows])
    assert code in told
    assert told.keys() <= {code, "language_mix"}


def test_a_secret_is_not_shown_by_what_is_told_of_the_whole(look: Look) -> None:
    """Excerpts of contradictions and repeats hide keys too."""
    key = "sk-" + "a1B2c3D4e5F6g7H8i9J0"
    rows = [row("鍵は何ですか", f"{key}です。"), row("鍵は何ですか", f"違います。{key}x です。")]
    told = look([*map(plain, range(20)), *rows])
    assert "contradiction" in told
    assert not any(key in one.message for one in told.values())
