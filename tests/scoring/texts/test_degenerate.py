"""Degenerate answers are found, and good ones are left alone."""

from __future__ import annotations

import csv
import json
import random

import pytest

from conftest import ROOT
from ftrun.scoring.texts.degenerate import degenerate, expected_language
from ftrun.scoring.types import Sample

JAPANESE = "それはあなたの感想ですよね。なんかそういうデータあるんですか？"
ENGLISH = "That is what you think, but do you have any data for it?"


def question(text: str, *, system: str | None = None, reference: str | None = None) -> Sample:
    """Return a sample."""
    return Sample(id="", turns=({"role": "user", "content": text},), system=system, reference=reference)


def shipped() -> list[tuple[str, str]]:
    """Return the questions and answers of the data that ships: chats, sayings, facts, a shop's FAQ."""
    pairs = []
    for name in ("configs/data/hiroyuki.csv", "configs/data/quickstart.csv", "docs/ja/faq.csv"):
        with (ROOT / name).open(encoding="utf-8", newline="") as file:
            pairs += [tuple(list(row.values())[:2]) for row in csv.DictReader(file)]
    for line in (ROOT / "configs/data/neko.jsonl").read_text(encoding="utf-8").splitlines():
        *_, asked, answered = json.loads(line)["messages"]
        pairs.append((asked["content"], answered["content"]))
    return [(asked, answered) for asked, answered in pairs]


def documents() -> list[str]:
    """Return the paragraphs, lists, tables and examples of the documentation, in English and Japanese."""
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "LICENSE"]
    return [
        part for file in files for part in file.read_text(encoding="utf-8").split("\n\n") if len(part) > 40
    ]


def test_good_answers_raise_no_alarm() -> None:
    """None of the shipped answers, nor any paragraph of the documentation."""
    for asked, answered in shipped():
        assert degenerate(answered, expected_language(question(asked))) is None, answered
        assert degenerate(answered, expected_language(question(asked, reference=answered))) is None, answered
    alarms = [part for part in documents() if degenerate(part)]
    assert len(shipped()) > 100 and len(documents()) > 500 and not alarms, alarms


def test_bad_answers_are_found() -> None:
    """At least nine of ten loops, and all broken characters, made from the shipped answers."""
    draw = random.Random(7)
    texts = [answered for _, answered in shipped() if len(answered) > 20]
    loops, broken = [], []
    for _ in range(200):
        text = draw.choice(texts)
        loops.append(text + text[: draw.randrange(8, 40)] * draw.randrange(8, 20))
        at = draw.randrange(len(text) - 1)
        broken.append(f"{text[:at]}\ufffd{text[at:]}")
    assert sum(degenerate(text) is not None for text in loops) >= 180
    assert all(degenerate(text) for text in broken)


@pytest.mark.parametrize(
    ("answer", "language", "words"),
    [
        ("ha" * 90, None, "repeats “ha” 90 times"),
        ("I like tea. " + "It is good for you. " * 9, None, "repeats “It is good for you.” 9 times"),
        ("Aye, " + "aye, " * 20 + "a", None, "repeats “aye,” 21 times"),
        ("It is good for you. I agree. It is good for you! " * 5, None, "repeats"),
        (
            "猫は液体である。そうです。猫は液体である。え？猫は液体である。猫は液体である。",
            None,
            "says “猫は液体である。” again and again",
        ),
        ("Good \ufffd morning", None, "has broken characters (U+FFFD)"),
        ("Good\x00 morning", None, "has broken characters (U+0000)"),
        (ENGLISH, "ja", "is in English, not in Japanese"),
        (JAPANESE, "English", "is in Japanese, not in English"),
    ],
)
def test_what_is_wrong_is_said(answer: str, language: str | None, words: str) -> None:
    """Loops with their part, broken characters with their code, and both languages."""
    found = degenerate(answer, language)
    assert found is not None and found.startswith(words)


@pytest.mark.parametrize(
    ("answer", "language"),
    [
        ("", "Japanese"),
        ("OK", "Japanese"),
        ("Windows", "Japanese"),
        (f"{JAPANESE}👩\ufffd", None),  # cut within an emoji
        ("-" * 200, None),
        ("| a | b |\n| --- | --- |\n" + "| 1 | 2 |\n" * 3, None),
        ("ありがとう。ありがとう。ありがとう。", None),
        ("line one\nline two\tand a tab\r\n", None),
        (JAPANESE, "ja"),
        ("日本語", "ja"),
    ],
)
def test_what_may_be_meant_is_left_alone(answer: str, language: str | None) -> None:
    """Short answers, rules, tables, and an emoji that the limit of tokens has cut."""
    assert degenerate(answer, language) is None


@pytest.mark.parametrize(
    ("sample", "language"),
    [
        (question(JAPANESE), "Japanese"),
        (question(ENGLISH), "English"),
        (question(ENGLISH, reference=JAPANESE), "Japanese"),
        (question("Please translate this for me: the weather is good today"), None),
        (question("「今日は天気がいいですね」を英語にしてください。"), None),
        (question(ENGLISH, system="あなたは必ず丁寧な敬語で答えるアシスタントです。"), None),
        (question("2 + 2?"), None),
    ],
)
def test_the_expected_language_is_said_only_where_it_is_sure(sample: Sample, language: str | None) -> None:
    """The reference's, else the question's, unless it asks for another."""
    assert expected_language(sample) == language
