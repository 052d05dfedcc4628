"""Personal data and secrets: what is one, what only looks like one, and what a mask leaves."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from ftrun.data.examples.masking import Masker
from ftrun.data.quality.personal_data import is_card, is_my_number
from ftrun.data.quality.pii import KINDS, actions, hidden, redacted, spans

from .clean import row, rows, scanned

KEY = "a1B2c3D4e5F6g7H8i9J0"


def kinds(text: str) -> list[str]:
    """Return the kinds found in a text, in order of their place."""
    return [span.kind for span in sorted(spans(text), key=lambda one: one.start)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to taro.yamada@minato-pool.jp please", "email"),
        ("連絡先：taro_1@minato-pool.jp。", "email"),
        ("ＴＡＲＯ＠ｍｉｎａｔｏ．ｃｏｍ", "email"),
        ("メールは taro＠minato-pool.jp です", "email"),
        ("電話は090-1234-5678です", "phone"),
        ("電話は０９０ー１２３４ー５６７８です", "phone"),
        ("09012345678", "phone"),
        ("TEL:03-1234-5678", "phone"),
        ("担当：０９０－１２３４－５６７８", "phone"),
        ("電話番号:045(123)4567", "phone"),
        ("TEL：0312345678", "phone"),
        ("電話番号は0612345678です", "phone"),
        ("03-1234-5678", "phone"),
        ("(03) 1234-5678", "phone"),
        ("03(1234)5678まで", "phone"),
        ("call +81 90 1234 5678", "phone"),
        ("call +1 (415) 682-2671 now", "phone"),
        ("call (415) 682-2671", "phone"),
        ("415-682-2671", "phone"),
        ("+44 20 8946 1958", "phone"),
        ("+33612345678", "phone"),
        ("マイナンバーは1234-5678-9018です", "my_number"),
        ("123456789018", "my_number"),
        ("個人番号：123456789018", "my_number"),
        ("card 4539 5787 6362 1486", "card"),
        ("4539578763621486", "card"),
        ("3714 496353 98001", "card"),
        ("3530111333301008", "card"),
        ("〒150-0001 東京都渋谷区", "postcode"),
        ("郵便番号は1500001です", "postcode"),
        ("150-0001 東京都渋谷区", "postcode"),
        (f"sk-proj-{KEY}{KEY}", "secret"),
        (f"sk-ant-api03-{KEY}{KEY}", "secret"),
        (f"ghp_{KEY}{KEY[:16]}", "secret"),
        ("AKIA" + "Z7QK2MPL4X9RT3WB", "secret"),
        ("AKIA" + "QWERTYUIOPASDF7G", "secret"),
        ("AIza" + "Sy" + KEY + "kLmNoPqRsTuVw", "secret"),
        ("xoxb-" + "123456789012-" + KEY, "secret"),
        (f"hf_{KEY}AbCdEfGhIj1", "secret"),
        ("hf_" + "fZqBcbOxBvVRjxkXLbHQ" + "VdRPxbdRkyaBvZ", "secret"),
        (f"sk_live_{KEY}", "secret"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + KEY, "secret"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "secret"),
        (f"api_key = '{KEY}'", "secret"),
        (f"api_key={KEY}", "secret"),
        (f"AWS_SECRET_ACCESS_KEY={KEY}/{KEY}=", "secret"),
        (f"Authorization: Bearer {KEY}", "secret"),
        (f'{{"password": "{KEY}"}}', "secret"),
        (f"パスワードは{KEY}", "secret"),
        ("postgres://app:s3cr3tpw@db.internal:5432/x", "secret"),
    ],
)
def test_each_kind_is_found(text: str, kind: str) -> None:
    """It is found once, also by the quick look at a whole row, and a mask leaves nothing of it."""
    assert kinds(text) == [kind]
    assert f"pii_{kind}" in {fault.code for fault in scanned(row("?", text))}
    assert f"[{kind.upper()}]" in redacted(text)
    assert kinds(redacted(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "@taro", "a@b", "1234-5678-9012", "4111 1111 1111 1112", "0000 0000 0000 0000", "2024-01-15",
        "2024/01/15 10:30", "03-12-2024", "202401151230", "1.234.567.890", "12345678", "〒", "100-0001回",
        "sk-", "sk-xxxxxxxxxxxxxxxxxxxxxxxx", "sk-your-api-key-goes-right-here",
        "token: see the documentation",
        "password: hunter", "+100", "+1", "10 000 000 000", "0.12345678901", "ISBN 978-4-00-310101-8",
        "https://example.com/articles/2024/01/15/123456789012", "192.168.100.200", "tel", "0-1-2-3-4-5-6-7-8",
        "JANコードは4901234567894です。", "送り状番号：4012-3456-7890", "注文番号は123456789018です",
        '"id": 123456789018',
        "ゆうパック 1234-5678-9018", "git@github.com:org/name.git", "12:0312345678", "品番0312345678",
        "会員ID: 123456789018",
        "0120-123-456", "フリーダイヤル0120123456", "0800-123-4567", "+81 120 123 456", "0570-012-345",
        "1-800-555-0199", "+1 (888) 555-0199", "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "3.141592653589793", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "id=20231108123456789",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    """Dates, addresses of machines, order numbers and placeholders of keys are nobody's data."""
    assert kinds(text) == []


def test_check_digits() -> None:
    """Luhn's and the individual number's digits are verified, and changing any digit breaks them."""
    assert is_card("4242424242424242")
    assert is_my_number("123456789018")
    for index in range(12):
        digits = list("123456789018")
        digits[index] = str((int(digits[index]) + 1) % 10)
        assert not is_my_number("".join(digits)), index


def test_no_check_digit_of_an_individual_number_is_ten() -> None:
    """Remainders 0 and 1 give the check digit 0."""
    for number in range(10_000_000_000, 10_000_000_200):
        fitting = [digit for digit in "0123456789" if is_my_number(f"{number}{digit}")]
        assert len(fitting) == 1


def test_hidden_forms_give_nothing_away() -> None:
    """What messages show of a find is not enough to use it."""
    assert hidden("secret", f"sk-{KEY}") == "sk-a… (23 characters)"
    assert hidden("secret", "my long password 1") == "(18 characters)"
    assert hidden("email", "taro@example.com") == "t…@example.com"
    assert hidden("email", "ｔａｒｏ＠ｅｘａｍｐｌｅ．ｃｏｍ") == "ｔ…@ｅｘａｍｐｌｅ．ｃｏｍ"
    assert hidden("phone", "090-1234-5678") == "090…"
    assert hidden("card", "4111111111111111") == "(16 characters)"


def test_masks_are_stable_and_counted() -> None:
    """Every text of a row is masked and every find counted; clean rows stay as they are."""
    masker = Masker("mask")
    example = row("私は090-1234-5678です。taro@example.com", f"鍵は sk-{KEY} と ０３－１２３４－５６７８")
    masked = masker.masked(example)
    said = [message["content"] for message in masked["messages"]]
    assert said == ["私は[PHONE]です。[EMAIL]", "鍵は [SECRET] と [PHONE]"]
    assert masker.drain() == Counter(phone=2, email=1, secret=1)
    (bracketed,) = masker.masked(
        {"messages": [{"role": "user", "content": "電話（０３－１２３４－５６７８）"}]}
    )["messages"]
    assert bracketed["content"] == "電話（[PHONE]）"
    masker.drain()
    assert masker.masked(masked) == masked
    assert masker.drain() == Counter()
    for clean in rows():
        assert json.dumps(masker.masked(clean)) == json.dumps(clean)


def test_masks_leave_roles_ids_and_other_values() -> None:
    """Only texts are changed: no id, number or boolean."""
    message = {"role": "tool", "tool_call_id": "09012345678", "content": "09012345678", "weight": 1}
    (masked,) = Masker({"phone": "mask"}).masked({"messages": [message]})["messages"]
    assert masked == {**message, "content": "[PHONE]"}


def test_one_word_is_for_all_but_does_not_let_secrets_through() -> None:
    """`pii: off` and `pii: warn` leave secrets blocked; naming the kind decides."""
    default = actions(None)
    assert default == {**dict.fromkeys(KINDS, "warn"), "secret": "block"}
    assert actions("off") == {**dict.fromkeys(KINDS, "off"), "secret": "block"}
    assert set(actions("mask").values()) == {"mask"}
    named: dict[str, Any] = {"secret": "off", "email": "mask"}
    assert actions(named) == {**default, **named}
