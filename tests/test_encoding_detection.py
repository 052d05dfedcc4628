"""Telling an encoding: right for Japanese text, silent for everything else, never wrong."""

from __future__ import annotations

import os
import random

import pytest

from ftrun.encoding_detection import agrees, likely_encoding, sure_encoding

JAPANESE = (
    "人間は死んだ後どうなりますか？ 無になります。それって怖いことなんですかね。",
    "えっと、Windowsでいいと思いますよ。でも、Macのほうが好きなら、それでいいです。",
    "①㈱髙島屋の「カタログ」を送ってください ②請求書 ③納品書",
    "ｶﾞｿﾘﾝの値段はﾘｯﾄﾙ170円です。営業時間は10:00～18:00です（土日祝を除く）。",
    "ﾔﾏﾀﾞ ﾀﾛｳ様、ご予約を承りました。返品は商品到着後7日以内にご連絡ください。",
    "東京都千代田区丸の内１－２－３ ○○ビル３Ｆ",
    "データベースのバックアップ",
)
DECOYS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("cp1252", "latin-1", "mac_roman", "cp437", "cp850"): (
        "Été à la plage, c'était très agréable. Où est le garçon ? Il a mangé un gâteau.",
        "Noël, pâte, grâce, château, âme, âge, tâche — « voilà »",
        "Grüße aus München, schöne Straße. ‚Zitat‘ und „noch eins“",
        "It’s “fine” – really… don’t worry. €5 or £3 or ¥300, ƒoo ƒbar",
    ),
    ("cp1250", "cp852"): ("Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy",),
    ("cp1251", "koi8_r", "cp866", "mac_cyrillic"): ("Привет, как дела? ГДЕ ГДЕ ДЕВЕРГ: ДОГОВОР ПОДПИСАН.",),
    ("cp1253", "cp737"): ("Καλημέρα, τι κάνεις; Πού είναι η βιβλιοθήκη;",),
    ("cp874",): ("สวัสดีครับ คุณสบายดีไหม ราคาเท่าไหร่ครับ คน คิด ความ คค",),
    ("gb2312", "gbk", "gb18030"): ("你好，请问图书馆在哪里？我不知道，谢谢你的帮助。今天天气很好",),
    ("big5", "cp950"): ("你好，請問圖書館在哪裡？今日中午不知之心，分今天日中不之人，謝謝",),
    ("euc_kr", "cp949", "johab"): ("안녕하세요, 도서관이 어디에 있습니까? 비밀번호를 잊었습니다",),
}
TIMES = 2000 if os.environ.get("FTRUN_TEST_ALL") else 100


def pieces(texts: tuple[str, ...], seed: str) -> list[str]:
    """Return tables of whole texts, of parts of them, and of their characters in any order."""
    chance = random.Random(seed)
    made = []
    for _ in range(TIMES):
        rows = []
        for _ in range(chance.choice((1, 1, 2, 5, 20))):
            text = chance.choice(texts)
            start = chance.randrange(len(text))
            part = text[start : start + chance.randint(1, 40)]
            mixed = "".join(chance.choices("".join(texts), k=chance.randint(1, 30)))
            rows.append(chance.choice((text, text, part, mixed)))
        made.append("q,a\n" + chance.choice(("\n", ",", '","', "\t")).join(rows) + "\n")
    return made


def is_utf8(content: bytes) -> bool:
    """Return whether detection would never be asked."""
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize(
    "encoding", ["cp932", "shift_jis", "euc_jp", "euc_jis_2004", "shift_jis_2004", "utf-16-le", "utf-16-be"]
)
def test_japanese_is_read_right_or_not_at_all(encoding: str) -> None:
    """Whatever the length and mix of Japanese text, a sure answer gives the very text back."""
    for text in pieces(JAPANESE, encoding):
        content = text.encode(encoding, "ignore")
        found = None if is_utf8(content) else sure_encoding(content)
        if found is not None:
            windows = encoding.startswith("shift") and found == "cp932"  # they differ in ～ and its like
            assert windows or content.decode(found) == content.decode(encoding), (found, content)


@pytest.mark.parametrize(
    ("encoding", "texts"), [(name, texts) for names, texts in DECOYS.items() for name in names]
)
def test_other_scripts_are_never_taken_for_japanese(encoding: str, texts: tuple[str, ...]) -> None:
    """Western, Slavic, Greek, Thai, Chinese and Korean text in its own encoding is asked about."""
    for text in pieces(texts, encoding):
        content = text.encode(encoding, "ignore")
        assert is_utf8(content) or sure_encoding(content) is None, content


def test_damaged_utf8_is_never_taken_for_another_encoding() -> None:
    """A lost or changed byte in UTF-8 text does not make it cp932."""
    chance = random.Random(1)
    for text in pieces(JAPANESE, "damaged"):
        content = bytearray(text.encode())
        content[chance.randrange(len(content))] = chance.randrange(1, 256)
        del content[chance.randrange(len(content))]
        assert is_utf8(bytes(content)) or sure_encoding(bytes(content)) is None, bytes(content)


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp"])
@pytest.mark.parametrize("first", [True, False])
def test_files_joined_with_utf8_are_doubtful(encoding: str, first: bool) -> None:
    """A file whose lines are partly UTF-8 is never sure."""
    parts = [JAPANESE[0].encode(encoding), b"\n", JAPANESE[1].encode(), b"\n"]
    assert sure_encoding(b"".join(parts if first else parts[2:] + parts[:2])) is None


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "utf-16-le", "utf-16-be"])
def test_a_few_sentences_are_enough(encoding: str) -> None:
    """Everyday questions and answers are recognised, also with half-width kana and ①㈱髙."""
    lines = [line for line in JAPANESE[:5] if encoding != "euc_jp" or "㈱" not in line]
    text = "質問,回答\n" + "".join(f"{line.replace('～', 'から')},はい、そうです。\n" for line in lines)
    assert sure_encoding(text.encode(encoding)) == encoding
    assert agrees(text.encode(encoding), encoding)


@pytest.mark.parametrize(
    ("text", "encoding", "proposal"),
    [
        ("返品可能", "cp932", "cp932"),
        ("返品可能", "euc_jp", "euc_jp"),
        ("①番です", "euc_jis_2004", "euc_jis_2004"),
        ("返品は七日以内です", "iso2022_jp", "iso2022_jp"),
        ("déjà vu, café ", "cp1252", "cp1252"),
        ("这个问题是什么,答案是这样的\n" * 3, "gb18030", "gb18030"),
    ],
)
def test_doubtful_text_gets_a_proposal(text: str, encoding: str, proposal: str) -> None:
    """Where no answer is sure the likely one is proposed."""
    assert likely_encoding(text.encode(encoding)) == proposal
