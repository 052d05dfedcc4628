# ruff: noqa: E501 - tables of texts stand in lines
"""The data as a whole: what is told of them, what is not, and with which places."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.data.split_advice import HELD_OUT_TWICE
from ftrun.errors import Problem
from ftrun.experiment.model import EvalPrompt, Evaluation, Source, Split

from .clean import ENGLISH, JAPANESE, row

Look = Callable[..., dict[str, Problem]]
THINGS = [
    "lamp",
    "river",
    "apple",
    "stone",
    "cloud",
    "bread",
    "tiger",
    "violin",
    "garden",
    "window",
    "bridge",
    "candle",
    "letter",
    "market",
    "pepper",
]
ANIMALS = ("犬", "猫", "鳥", "馬", "牛", "羊", "狐", "狸", "熊", "鹿", "兎", "亀", "蛇", "鯨", "鮭", "蝶")
VERBS = ("走る", "眠る", "歌う", "食べる", "泳ぐ", "笑う", "考える", "遊ぶ")


def lines(rows: Iterable[dict[str, Any]]) -> str:
    """Return a chat file."""
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)


def plain(number: int) -> dict[str, Any]:
    """Return one of 120 short Japanese rows with nothing in common but their language."""
    animal, verb = ANIMALS[number % 15], VERBS[number // 15 % 8]
    return row(f"{animal}はいつ{verb}のですか", f"{animal}がよく{verb}のは、{VERBS[number % 8]}季節です。")


@pytest.fixture
def look(make: Any) -> Look:
    """Return a function that gives what is told of rows, by code."""

    def found(rows: Iterable[dict[str, Any]], **given: Any) -> dict[str, Problem]:
        result = data.examine(make({"a.jsonl": lines(rows)}, **given))
        told = {one.code: one for one in (*result.errors, *result.warnings, *result.notes)}
        told.pop("few_examples", None)
        return told

    return found


@pytest.mark.parametrize("pairs", [ENGLISH, JAPANESE, (*ENGLISH, *JAPANESE)])
def test_clean_texts_give_nothing(look: Look, pairs: Any) -> None:
    """Everyday questions and answers, of one language or of two, are nothing to warn of."""
    assert look(row(*pair) for pair in pairs) == {}
    assert look(row(*pair, system="Be kind.") for pair in pairs) == {}


def test_varied_rows_give_nothing(look: Look) -> None:
    """A hundred short rows that differ in one word are no near-duplicates."""
    assert look(map(plain, range(100))) == {}


def test_labels_are_no_imbalance(look: Look) -> None:
    """A few short answers to many questions are labels; only if nearly all are the same it is told."""
    text = [f"{ANIMALS[n % 15]}が{VERBS[n // 15 % 8]}のを見た" for n in range(100)]
    even = [row(said, ("良い", "悪い")[n % 2]) for n, said in enumerate(text)]
    assert look(even) == {}
    uneven = [row(said, "良い" if n % 10 else "悪い") for n, said in enumerate(text)]
    assert set(look(uneven)) == {"same_answer"}


def test_contradictions_name_both_places(look: Look) -> None:
    """The same question in other words' case and space, answered differently; equal answers are fine."""
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
    """What was said before makes another question of it."""
    rows = [row("やあ", "こんにちは。", "丁寧に"), row("やあ", "おう。", "乱暴に")]
    assert "contradiction" not in look([*map(plain, range(20)), *rows])


LONG = "The harbour was quiet that evening, and nobody expected the last ferry before the next morning came."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((LONG, "We sat by the window and waited for it."), (LONG.replace("quiet", "silent"), "We sat by the window and waited for it.")),
        (
            ("京都で紅葉がいちばん綺麗に見える時期と場所を教えてください。", "十一月の下旬、東福寺や永観堂が見頃です。"),
            ("京都で紅葉がいちばん綺麗に見える時期と場所を教えて下さい", "十一月の下旬、東福寺や永観堂が見頃です！"),
        ),
    ],
)  # fmt: skip
def test_near_duplicates_in_two_languages(look: Look, one: Any, other: Any) -> None:
    """A word or a sign changed is nearly the same; `dedupe: near` leaves the later one out."""
    rows = [*map(plain, range(30)), row(*one), row(*other)]
    told = look(rows)["near_duplicates"]
    assert told.line == 32
    assert "a.jsonl:31" in told.message
    dropped = look(rows, dedupe="near")["near_duplicates"]
    assert (dropped.line, dropped.message) == (
        32,
        "1 row nearly repeats an earlier one: left out; the first is here",
    )


def test_near_is_not_the_same_number_or_answer(look: Look) -> None:
    """Rows that differ in a number, or in their answer alone, are different."""
    rows = [
        row(f"{LONG} What happened on day 12?", "It rained until the evening, and then the stars came out."),
        row(f"{LONG} What happened on day 13?", "It rained until the evening, and then the stars came out."),
        row(f"{LONG} Was it so?", "yes"),
        row(f"{LONG} Was it so?", "not at all, they say"),
    ]
    assert "near_duplicates" not in look([*map(plain, range(30)), *rows])


def test_a_template_around_short_texts_is_no_likeness(look: Look) -> None:
    """What most rows have in common does not count."""
    head = "Read the following review of a customer and say in one word whether it is good or bad. Review: "
    words = [f"{one} {other}" for one in THINGS for other in THINGS if one < other]
    rows = [
        row(f"{head}{pair} and more of the {pair}", ("good", "bad")[n % 2])
        for n, pair in enumerate(words[:80])
    ]
    assert "near_duplicates" not in look(rows)


def test_dedupe_near_is_the_same_each_time(make: Any, tmp_path: Path) -> None:
    """The prepared files are equal whenever they are made, and the numbers are kept beside them."""
    rows = lines(
        [*map(plain, range(40)), row(LONG, "Yes."), row(LONG + "!", "yes"), row(LONG.lower(), "Yes")]
    )
    experiment = make({"a.jsonl": rows}, dedupe="near")
    first, second = (data.prepare(experiment, tmp_path / name) for name in "ab")
    assert first.to_dict() == second.to_dict()
    assert (first.duplicates, first.dropped) == (0, 2)
    kept = data.check(experiment, tmp_path / "a").as_dict()
    (tmp_path / "a/tally.json").unlink()
    assert data.check(experiment, tmp_path / "a").as_dict() == kept == data.examine(experiment).as_dict()


def test_near_leaks_are_told_for_the_held_out_part(make: Any, tmp_path: Path) -> None:
    """A test row that nearly stands in the training data is located in the test file."""
    files = {
        "a.jsonl": lines([*map(plain, range(30)), row(LONG, "So it was.")]),
        "t.jsonl": lines([row(LONG + "!!", "so it was"), plain(77)]),
    }
    experiment = make(files, paths=["a.jsonl"])
    own = (Source(path="t.jsonl", base=tmp_path, key=("data", "split", "test", 0)),)
    result = data.examine(replace(experiment, data=replace(experiment.data, split=Split(test=own))))
    (leak,) = [one for one in result.warnings if one.code == "near_leak"]
    assert (Path(str(leak.file)).name, leak.line) == ("t.jsonl", 1)
    assert "a.jsonl:31" in leak.message


def test_held_out_parts_are_compared_with_one_another(make: Any, tmp_path: Path) -> None:
    """A test row that stands in validation, exactly or nearly, is a leak; another answer is a contradiction."""
    files = {
        "a.jsonl": lines(map(plain, range(30))),
        "v.jsonl": lines([row(LONG, "So it was."), plain(77), plain(78)]),
        "t.jsonl": lines([row(LONG + "!!", "so it was"), plain(77), row("犬はいつ走るのですか", "冬です。")]),
    }
    experiment = make(files, paths=["a.jsonl"])
    held = {
        part: (Source(path=f"{part[0]}.jsonl", base=tmp_path, key=("data", "split", part, 0)),)
        for part in ("validation", "test")
    }
    result = data.examine(replace(experiment, data=replace(experiment.data, split=Split(**held))))
    found = {one.code: one for one in result.warnings if one.code in ("leak", "near_leak", "contradiction")}
    places = {code: (Path(str(one.file)).name, one.line) for code, one in found.items()}
    assert places == {"near_leak": ("t.jsonl", 1), "leak": ("t.jsonl", 2), "contradiction": ("t.jsonl", 3)}
    assert "1 test example also stands in the validation data" in found["leak"].message
    assert "one of the validation data" in found["near_leak"].message
    assert found["leak"].hint == found["near_leak"].hint == HELD_OUT_TWICE


def test_eval_prompts_in_training_are_recall(make: Any, tmp_path: Path) -> None:
    """Prompts that training asks, exactly or nearly, are noted by id and are no error."""
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
    """でした and ました are です・ます, whatever they end with."""
    rows = [row(f"{one}はどうでしたか？", f"{one}は元気でした。") for one in ANIMALS]
    rows += [row(f"{one}は来ますか？", f"はい、{one}も来ました。") for one in ANIMALS]
    assert "style_mix" not in look(rows)


def test_phrases_need_no_full_stop(look: Look) -> None:
    """Names and phrases beside whole sentences are no mix; sentences with and without their sign are."""
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
    """The flaw is told once, and the other rows give no reason for more."""
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
