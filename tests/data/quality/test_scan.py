"""Single texts: what is found, where, and that clean everyday texts give nothing."""

from __future__ import annotations

from typing import Any

import pytest

from ftrun.data.quality.scan import Scanner
from ftrun.data.texts.mojibake import damage, repaired
from ftrun.langid.single import sure_language
from ftrun.protocol.plain_chats import TrainingRow, chat_of
from ftrun.protocol.texts import texts_of

from .clean import row, rows, scanned

SCANNER = Scanner()


def found(text: str) -> list[tuple[str, str]]:
    """Return (code, field) of what is wrong with an answer."""
    return [(fault.code, fault.field) for fault in scanned(row("Why?", text), SCANNER)]


def codes(text: str) -> set[str]:
    """Return the codes of what is wrong with an answer."""
    return {code for code, _ in found(text)}


@pytest.mark.parametrize("example", rows(), ids=lambda one: one["messages"][0]["content"])
def test_clean_texts_give_nothing(example: dict[str, Any]) -> None:
    """Dates, prices, versions, code, accents and emoji are fine."""
    assert scanned(example, SCANNER) == []


@pytest.mark.parametrize(
    ("text", "was"),
    [
        ("こんにちは、元気ですか".encode().decode("cp932", "replace"), "こんにちは"),
        ("café crème".encode().decode("cp1252"), "café crème"),
        ("It’s fine".encode().decode("cp1252"), "It’s fine"),
        ("日本語です".encode().decode("latin-1"), "日本語です"),
        ("これはテストです".encode("cp932").decode("cp1252", "replace"), ""),
        ("これはテストです".encode("euc_jp").decode("cp932", "replace"), ""),
        ("カフェは、あちらですか。".encode("euc_jp").decode("cp932", "replace"), "カフェ"),
        ("caf\ufffd", ""),
        ("cafï¿½", ""),
    ],
)
def test_mojibake_is_named_with_what_it_was(text: str, was: str) -> None:
    """Text that was read in a wrong encoding is recognised, and the message says what it probably was."""
    faults = [fault for fault in scanned(row("Why?", text), SCANNER) if fault.code == "mojibake"]
    assert len(faults) == 1
    assert faults[0].field == "messages[1].content"
    assert was[:4] in faults[0].message


def test_the_original_of_what_is_sound_is_not_invented() -> None:
    """Nothing is proposed where the way back leads nowhere, nor for what is sound behind what is damaged."""
    assert repaired("�") == "�"
    found = damage("こんにちは".encode().decode("cp932", "replace") + "、私は店員です。")
    assert found is not None
    assert (found.part, found.repaired) == ("こんにちは", "")


def test_a_key_is_no_word_of_a_language() -> None:
    """An identifier with many letters doesn't make a Japanese text Latin."""
    assert sure_language(f"キーは {'aBcD4eFgH5' * 5} です。") == "Japanese"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("bell\x07", "control_character"),
        ("zero\u200bwidth", "control_character"),
        ("two\r\nlines", "carriage_return"),
        ("二行\rです", "carriage_return"),
        ("\ufeffstart", "control_character"),
        ("es\x1b[31mcape", "control_character"),
        ("over\u202eride", "bidi_character"),
        ("mark\u200e in English", "bidi_character"),
        ("２０２４年は12か月", "full_width"),
        ("ＡＢＣとABC", "full_width"),
        ("Dear {{name}}, hello", "placeholder"),
        ("Dear {first_name}, hello", "placeholder"),
        ("Dear [Your Name],", "placeholder"),
        ("[NAME]様", "placeholder"),
        ("【会社名】の山田です。", "placeholder"),
        ("［お名前］様、こんにちは", "placeholder"),
        ("def f():\n    pass\n\nDear [Your Name],", "placeholder"),
        ("〇〇さん、こんにちは", "placeholder"),
        ("○○株式会社です", "placeholder"),
        ("<placeholder>", "placeholder"),
        ("<your name> goes here", "placeholder"),
        ("TODO: write this", "placeholder"),
        ("Lorem ipsum dolor", "placeholder"),
        ("and then lorem ipsum", "placeholder"),
        ("LOREM IPSUM dolor", "placeholder"),
        ("N/A", "blank_answer"),
        ("#REF!", "blank_answer"),
        ("なし", "blank_answer"),
        (" leading", "outer_space"),
        ("全角の空白\u3000", "outer_space"),
        ("a line\n", "outer_space"),
    ],
)
def test_flaws_are_found(text: str, code: str) -> None:
    """Each kind is found at its field."""
    assert (code, "messages[1].content") in found(text)


def test_a_blank_answer_is_found_in_every_shape_of_a_row() -> None:
    """A content in parts and a completion are answers as a plain content is; a question is not."""
    part = {"role": "assistant", "content": [{"type": "text", "text": "N/A"}]}
    asked = {"role": "user", "content": [{"type": "text", "text": "N/A"}]}
    told = [
        scanned({"messages": [asked, part]}, SCANNER),
        scanned({"prompt": "N/A", "completion": "N/A"}, SCANNER),
    ]
    assert [(fault.code, fault.field) for faults in told for fault in faults] == [
        ("blank_answer", "messages[1].content[0].text"),
        ("blank_answer", "completion"),
    ]


def test_space_at_the_seam_of_a_completion_is_meant() -> None:
    """Prompt and completion are one text, and that space separates their words."""
    assert scanned({"prompt": "Capital of France ->\n", "completion": " Paris\n"}, SCANNER) == []


@pytest.mark.parametrize(
    ("question", "answer", "is_blank"),
    [
        ("アレルギーを抜き出してください。卵は食べます。", "なし", False),
        ("Extract the allergies: eats everything.", "None", False),
        ("返品できますか？", "なし", True),
        ("アレルギーを抜き出してください。", "#REF!", True),
    ],
)
def test_none_is_an_answer_where_a_value_is_asked_for(question: str, answer: str, is_blank: bool) -> None:
    """What was to be extracted or classified may be nothing; errors of a spreadsheet are none anywhere."""
    faults = scanned(row(question, answer), SCANNER)
    assert ("blank_answer" in {fault.code for fault in faults}) is is_blank


@pytest.mark.parametrize(
    "text",
    [
        'print(f"{name} さん")\n# TODO: more',
        "SELECT * FROM t WHERE id = {id}",
        "const out = input.map((x) => `${x.id}`);\nconsole.log(out);",
        "def f(x):\n    # TODO: faster\n    return x",
        "[氏名]欄に記入し、[日付]を入力します。",
        "【お名前】\n【電話番号】\nをご記入ください。",
    ],
)
def test_programs_and_forms_are_no_placeholders(text: str) -> None:
    """Braces and remarks of a program are its own, and words in brackets name the fields of a form."""
    assert "placeholder" not in codes(text)


def test_marks_of_direction_are_right_in_right_to_left_text() -> None:
    """LRM and RLM belong into Hebrew and Arabic."""
    assert codes("שלום\u200f (Python)") == set()


@pytest.mark.parametrize(
    "example",
    [
        {"input": {"messages": [{"role": "user", "content": "x"}]},
         "preferred_output": [{"role": "assistant", "content": "TODO: y"}], "non_preferred_output": []},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "TODO: y"}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": "{{b}}"}'}}]}]},
        {"messages": [{"role": "user", "content": "a"}], "reference": "Dear [NAME]"},
    ],
)  # fmt: skip
def test_every_shape_of_row_is_walked(example: dict[str, Any]) -> None:
    """Preferences, parts, calls of tools and further keys are texts too; the field is its path."""
    (fault,) = scanned(example, SCANNER)
    assert fault.code == "placeholder"
    assert fault.field in {
        "preferred_output[0].content",
        "messages[0].content[0].text",
        "messages[0].tool_calls[0].function.arguments",
        "reference",
    }


def test_ids_images_and_roles_are_no_texts() -> None:
    """An image's data and a call's id are not read as texts."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    message = {"role": "tool", "tool_call_id": "call_1", "content": [image]}
    assert texts_of({"messages": [message]}) == []


def test_messages_hide_secrets_that_stand_beside() -> None:
    """An excerpt of one flaw never shows a key or an address that is next to it."""
    key = "sk-" + "a1B2c3D4e5" * 4
    faults = scanned(row("Why?", f"TODO: {key} taro@minato-pool.jp \u200b"), SCANNER)
    assert {fault.code for fault in faults} == {
        "placeholder", "pii_secret", "pii_email", "control_character"
    }  # fmt: skip
    shown = " ".join(fault.message for fault in faults)
    assert key not in shown
    assert key[:8] not in shown
    assert "taro@" not in shown


def test_rows_that_are_looked_at_together_are_told_apart() -> None:
    """No matter what is in the other rows, a row has the faults that it has alone."""
    texts = [
        "Fine.", "call 090-1234-5678", "a@example.com", "sep\x1earated", "[1] and TODO: more", "1 2 3 4",
        "key sk-abcdefghij0123456789ABCDEFGHIJ0123456789", "abcdefghijklmnopqrstuvwxyz", "5678", "はい。",
        "［お名前］様", "and lorem ipsum", "\x1e\x1e", "N/A", " space", "AKIAIOSFODNN7EXAMPLE", "090-1234",
        "bell\x07",
    ]  # fmt: skip
    examples = [row("Why?", text) for text in texts]
    alone = [[(index, fault) for fault in scanned(one)] for index, one in enumerate(examples)]
    for last in range(1, len(examples) + 1):
        together = Scanner().scan_all([TrainingRow(one, chat_of(one)) for one in examples[:last]])
        assert list(together) == [one for faults in alone[:last] for one in faults]
