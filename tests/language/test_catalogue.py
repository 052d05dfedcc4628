"""The catalogue is complete, and each of its messages is told from all others."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conftest import ROOT
from ftrun.language import LANGUAGES, phrases_of
from ftrun.language.catalogue import WORD, catalogue, entries
from ftrun.language.templates import PLACEHOLDER, Template, Templates, alternatives


def test_every_message_of_the_source_is_translated() -> None:
    """No message lacks a translation with its placeholders, and no translation is left over."""
    words = [sys.executable, str(ROOT / ".ci" / "language" / "extract.py")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_message_is_recognized_as_itself(language: str) -> None:
    """A message with its values filled in is taken for no other message that says something else."""
    pairs = [
        (message, translation)
        for context, message, translation in entries(catalogue(language))
        if context != WORD and PLACEHOLDER.search(message)
    ]
    templates = Templates(Template(*pair) for pair in pairs)
    wrong = []
    for template in (Template(*pair) for pair in pairs):
        values = _values(template)
        parts = (f"{value}{literal}" for value, literal in zip(values, template.literals[1:], strict=True))
        found = templates.match(template.literals[0] + "".join(parts))
        if found is None or found[0].filled(found[1], found[1]) != template.filled(values, values):
            wrong.append((template.message, found and found[0].message))
    assert len(pairs) > 1000 and not wrong


def _values(template: Template) -> list[str]:
    """Return values that no message has; none for what follows another value directly."""
    return [
        words[0]
        if (words := alternatives(name))
        else ""
        if index and not template.literals[index]
        else f"§{index}§"
        for index, name in enumerate(template.names)
    ]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Nothing to do.", "することはありません。"),
        ("note: Nothing to do.", "注意: することはありません。"),
        ("  tip: Fix `path`.\n", "  ヒント: `path` を直してください。\n"),
        ("a b.csv:3:1: the file is empty", "a b.csv:3:1: ファイルが空です"),
        (
            "2 errors, 1 warning: fix the errors before training.",
            "エラー 2 件、警告 1 件。学習の前にエラーを直してください。",
        ),
        (
            "x.csv:3: there are only 18 training examples [few_examples]",
            "x.csv:3: 学習例が 18 件しかありません [few_examples]",
        ),
        ("Fix `path`. Did you mean 'b.csv'?", "`path` を直してください。'b.csv' のことですか？"),
        (
            "Delete these 2 files (10 bytes)? [y/N]: ",
            "これら 2 個のファイル（10 バイト）を削除しますか？ [y/N]: ",
        ),
        ("  prepare   done in 1 s", "  prepare   完了（1 s）"),
        ("job x-1 is succeeded", "ジョブ x-1 は成功です"),  # no space between Japanese and Japanese
        ("job x-1 is validating_files", "ジョブ x-1 はファイル検証中です"),
        (
            "  waiting for job x-1 at the engine on this machine, since 3:01",
            "  3:01 から待機中: このマシンのエンジンのジョブ x-1",
        ),
        ("train and validation data not uploaded yet", "train と validation データが未アップロード"),
        ("step 1/30 · loss 2.927 · about 0 s left", "ステップ 1/30 · 損失 2.927 · 残り約 0 秒"),
        (
            "none of these holds: does not contain “H2O”; does not contain “水”",
            "どれも成り立ちません: “H2O” を含みません; “水” を含みません",
        ),
        ("the column name 'the file is empty' is duplicated", "列名 'the file is empty' が重複しています"),
        (
            "waiting for answers from the engine on this machine: 2 of 9 received, 1 in progress, since 3:01",
            "3:01 から待機中: このマシンのエンジンの回答: 9 件中 2 件を受信、1 件が進行中",
        ),
        ("  step 1/9 · loss 0.496 · about 50 s left", "  ステップ 1/9 · 損失 0.496 · 残り約 50 秒"),
        ("  answer 3 of 4: tuned · search", "  回答 3/4: tuned · search"),  # an id that is a word of ours
        (
            "  X knows almost no Japanese: it learns phrases from the data, not the language. "
            "Use `--target a` or `--target b` for that. "
            "First read and accept the terms: `ftrun models --accept c`.",
            "  X は日本語をほとんど知りません。学ぶのは言語ではなく、データの言い回しです。"
            "より適したターゲットは `--target a` または `--target b` です。"
            "先に利用条件を読んで同意してください: `ftrun models --accept c`",
        ),
        (
            "warning: Degenerate answers: 1 from tuned, such as the one to q1, "
            "which says “a b” again and again.",
            "警告: tuned に崩れた回答が 1 件あります。例: q1 への回答（「a b」を何度も繰り返しています）。",
        ),
    ],
)
def test_messages_in_a_line_are_translated(said: str, shown: str) -> None:
    """Labels, places, codes and several sentences in a line are understood; quoted names stay."""
    assert phrases_of("ja").shown(said) == shown


@pytest.mark.parametrize(
    "text",
    [
        "The shop opens at nine, and the last order is at eight.",
        "the box is empty",
        "model trains are in the first room",
        '{"message": "the file is empty"}',
        "営業時間を教えてください。",
        "configs/faq.yaml",
        "",
        "\r    \r",
    ],
)
def test_what_is_no_message_stays(text: str) -> None:
    """Sentences of rows and answers, JSON and names are shown as they are."""
    assert phrases_of("ja").shown(text) == text


def test_columns_stay_aligned() -> None:
    """A translated cell takes as many columns as it did, as wide characters take two."""
    shown = phrases_of("ja").shown("  done     prepare   unchanged")
    assert shown == "  完了     prepare   変更なし"
