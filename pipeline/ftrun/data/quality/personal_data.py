"""Finding personal data in a text: e-mail, phone, My Number, card, postcode. Each is more than a shape:
check digits are computed, numbers of telephones have a telephone's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# 1:1, so that what is found has the same place in the text as it stands: full-width forms and dashes
HALF = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
HALF |= dict.fromkeys(map(ord, "‐‑‒–—―−ー"), ord("-")) | {0x3000: ord(" ")}
EMAIL = re.compile(
    r"(?<![\w.+-])(?!git@)[A-Za-z0-9][\w.+-]{0,63}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?![\w-])",
    re.ASCII,
)
# digits in groups as people write them; what kind of number it is says its length
NUMBER = re.compile(
    r"(?<![\w.+/#-])(?<!\d:)(?:\+|\(|)\d(?:\d|[ .)(-]{1,2}(?=[\d(])){5,24}(?![\w/:]|[.-]\d)", re.ASCII
)
SEVEN = re.compile(r"(?:[0-9][ .)(-]{0,2}){7}")
POSTCODE = re.compile(
    r"(?:〒\s?|郵便番号[は:：\s]{0,3})\d{3}-?\d{4}(?!\d)"
    r"|(?<![\d-])\d{3}-\d{4}(?=\s?(?:東京都|北海道|(?:京都|大阪)府|[一-龥]{2,3}県))"
)
JAPANESE = re.compile(r"\(?0\d{1,4}[-) (.]{1,2}\d{1,4}[-) .]{1,2}\d{3,4}|0[5789]0\d{8}")
LANDLINE = re.compile(r"0[1-9](?!20)\d{8}")  # without separators: many other numbers look so
AMERICAN = re.compile(r"(?:\([2-9]\d\d\) ?|[2-9]\d\d([-.]))[2-9]\d\d[-.]\d{4}")
GROUPED_12 = re.compile(r"\d{4}([ -]?)\d{4}\1\d{4}")
MOMENT = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d")
# lines of companies, public on purpose: free or shared-cost numbers of Japan, free ones of North America
PUBLIC = re.compile(r"(?:0|81)(?:120\d{6}|570\d{6}|800\d{7})|1?8(?:00|33|44|55|66|77|88)[2-9]\d{6}")
MY_NUMBER_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
NUMBER_KINDS = ("card", "my_number", "phone")
# how many digits the number of a card has, by how it begins
CARDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}"
)
# a barcode of Japan looks like the 13 digits that cards had long ago
BARCODE = re.compile(r"4[59]\d{11}")
# what stands right before a number and says what it is
CALLED_PHONE = re.compile(
    r"(?:電話|連絡先|携帯|ファックス|℡|☎|(?i:tel|fax|phone))(?:番号)?[はが]?[ .:]{0,3}\Z"
)
CALLED_ORDER = re.compile(
    r"(?:注文|受付|伝票|送り状|追跡|荷物|お?問い?合わ?せ|会員|顧客|契約|予約|管理|製造|商品|口座|法人|シリアル)"
    r"(?:の?番号|ナンバー|コード|(?i:id|no))[はが]?[\s.:「]{0,3}\Z"
    r"|(?:ゆうパック|(?i:\bid|order|tracking|invoice|serial))(?: (?i:number|no\.?|id))?[\"' :=#]{0,4}\Z"
)
CALLED = 16  # characters before a number that are looked at
CARD_GROUPS = re.compile(r"\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ -])\d{6}\2\d{4,5}")


class Span(NamedTuple):
    """Where something was found in a text, and what kind of data it is."""

    kind: str
    start: int
    end: int


def personal(text: str) -> Iterator[Span]:
    """Yield the personal data of a text: emails, then numbers, then postcodes."""
    plain = text if text.isascii() else text.translate(HALF)
    if "@" in plain:
        for found in EMAIL.finditer(plain):
            yield Span("email", found.start(), found.end())
    taken: list[Span] = []
    numbers = NUMBER.finditer(plain) if SEVEN.search(plain) else ()
    for found in numbers:
        number, start = found[0].rstrip(" .()-"), found.start()
        kind = _kind_of(number, plain[max(0, start - CALLED) : start])
        if kind:  # a bracket around the whole number is no part of it: its other half stays as well
            around = number.startswith("(") and ")" not in number
            taken.append(Span(kind, start + around, start + len(number)))
    yield from taken
    for found in POSTCODE.finditer(plain) if numbers else ():
        if not any(found.start() < one.end and one.start < found.end() for one in taken):
            yield Span("postcode", found.start(), found.end())


def _kind_of(number: str, before: str) -> str | None:
    """Return what kind of number this is, as written behind `before`, None if it is no personal one."""
    digits = "".join(one for one in number if one.isdigit())
    if CARD_GROUPS.fullmatch(number) and CARDS.fullmatch(digits) and luhn(digits):
        return None if is_barcode(digits) else "card"
    if GROUPED_12.fullmatch(number) and is_my_number(digits) and not MOMENT.fullmatch(digits):
        return None if CALLED_ORDER.search(before) else "my_number"
    if LANDLINE.fullmatch(number):
        return "phone" if CALLED_PHONE.search(before) else None
    return "phone" if _is_phone(number, digits) else None


def _is_phone(number: str, digits: str) -> bool:
    if PUBLIC.fullmatch(digits):
        return False
    if number.startswith("+"):
        # as many digits as the shortest national number with its country code has, at most the ITU's 15
        return digits[0] != "0" and 9 <= len(digits) <= 15
    if JAPANESE.fullmatch(number):
        mobile = re.match("0[5789]0", digits) is not None
        return len(digits) == (11 if mobile else 10)
    return AMERICAN.fullmatch(number) is not None


def luhn(digits: str) -> bool:
    """Return whether the last digit is the check digit that Luhn's formula gives for the others."""
    doubled = (int(one) * 2 for one in digits[-2::-2])
    total = sum(int(one) for one in digits[-1::-2]) + sum(one - 9 if one > 9 else one for one in doubled)
    return total % 10 == 0 and len(set(digits)) > 1


def is_barcode(digits: str) -> bool:
    """Return whether thirteen digits are a barcode of Japan: 45 or 49, and the check digit of EAN-13."""
    weighed = sum(int(one) * (3 if index % 2 else 1) for index, one in enumerate(digits))
    return BARCODE.fullmatch(digits) is not None and weighed % 10 == 0


def is_my_number(digits: str) -> bool:
    """Return whether twelve digits have the check digit of a Japanese individual number.

    By the ministerial ordinance: weights 2 to 7 and 2 to 6 from the right, 11 less the remainder of the sum
    by 11; a remainder of 0 or 1 gives 0.
    """
    if len(digits) != 12 or len(set(digits)) == 1:
        return False
    rest = sum(int(one) * weight for one, weight in zip(digits, MY_NUMBER_WEIGHTS, strict=False)) % 11
    return int(digits[-1]) == (0 if rest <= 1 else 11 - rest)
