"""Finding personal data in a text: e-mail, phone, My Number, card, postcode.

A shape is not enough: check digits are verified, phone numbers must have the length of one, and the words
around a number tell an order from a person.

What counts as a phone number is decided here, not by the phonenumbers library: its tables change every other
week, and `data.pii: mask` must give the same files from the same data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# character by character, so that a match has the same place in the original: full-width forms and dashes
HALF = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
HALF |= dict.fromkeys(map(ord, "‐‑‒–—―−ー"), ord("-")) | {0x3000: ord(" ")}
EMAIL = re.compile(
    r"(?<![\w.+-])(?!git@)[A-Za-z0-9][\w.+-]{0,63}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?![\w-])",
    re.ASCII,
)
# digits in groups as people write them; the kind of number decides on the length
NUMBER = re.compile(
    r"(?<![\w.+/#-])(?<!\d:)(?:\+|\(|)\d(?:\d|[ .)(-]{1,2}(?=[\d(])){5,24}(?![\w/:]|[.-]\d)", re.ASCII
)
SEVEN = re.compile(r"(?:[0-9][ .)(-]{0,2}){7}")
POSTCODE = re.compile(
    r"(?:〒\s?|郵便番号[は:：\s]{0,3})\d{3}-?\d{4}(?!\d)"
    r"|(?<![\d-])\d{3}-\d{4}(?=\s?(?:東京都|北海道|(?:京都|大阪)府|[一-龥]{2,3}県))"
)
JAPANESE = re.compile(r"\(?0\d{1,4}[-) (.]{1,2}\d{1,4}[-) .]{1,2}\d{3,4}|0[5789]0\d{8}")
LANDLINE = re.compile(r"0[1-9](?!20)\d{8}")  # without separators: many other numbers look like this
MOBILE = re.compile("0[5789]0")
AMERICAN = re.compile(r"(?:\([2-9]\d\d\) ?|[2-9]\d\d([-.]))[2-9]\d\d[-.]\d{4}")
GROUPED_12 = re.compile(r"\d{4}([ -]?)\d{4}\1\d{4}")
MOMENT = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d")
# public company lines: free or shared-cost numbers of Japan, free ones of North America
PUBLIC = re.compile(r"(?:0|81)(?:120\d{6}|570\d{6}|800\d{7})|1?8(?:00|33|44|55|66|77|88)[2-9]\d{6}")
# the length of a card number depends on how it begins
CARDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}"
)
# a Japanese barcode looks like the 13 digits that card numbers used to have
BARCODE = re.compile(r"4[59]\d{11}")
# words right before a number that say what it is
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


class SensitiveSpan(NamedTuple):
    """A kind of personal data, or "secret", and where it is in a text; `name` says which secret."""

    kind: str
    start: int
    end: int
    name: str = ""


def personal(text: str) -> Iterator[SensitiveSpan]:
    """Yield the personal data of a text: emails, then numbers, then postcodes, which may be in a number."""
    plain = text if text.isascii() else text.translate(HALF)
    if "@" in plain:
        for found in EMAIL.finditer(plain):
            yield SensitiveSpan("email", *found.span())
    if not SEVEN.search(plain):
        return
    for found in NUMBER.finditer(plain):
        number, start = found[0].rstrip(" .()-"), found.start()
        kind = _kind_of(number, plain[max(0, start - CALLED) : start])
        if kind:  # a bracket around the whole number is not part of it: its other half stays as well
            around = number.startswith("(") and ")" not in number
            yield SensitiveSpan(kind, start + around, start + len(number))
    for found in POSTCODE.finditer(plain):
        yield SensitiveSpan("postcode", *found.span())


def _kind_of(number: str, before: str) -> str | None:
    """Return the kind of a number that follows the text `before`, None if it isn't a personal one."""
    digits = "".join(one for one in number if one.isdigit())
    if CARD_GROUPS.fullmatch(number) and CARDS.fullmatch(digits) and is_card(digits):
        return "card"
    if GROUPED_12.fullmatch(number) and is_my_number(digits) and not MOMENT.fullmatch(digits):
        return None if CALLED_ORDER.search(before) else "my_number"
    if LANDLINE.fullmatch(number):
        return "phone" if CALLED_PHONE.search(before) else None
    if PUBLIC.fullmatch(digits):
        return None
    if number.startswith("+"):
        # from the shortest national number with its country code to the 15 digits that the ITU allows
        return "phone" if digits[0] != "0" and 9 <= len(digits) <= 15 else None
    if JAPANESE.fullmatch(number):
        return "phone" if len(digits) == (11 if MOBILE.match(digits) else 10) else None
    return "phone" if AMERICAN.fullmatch(number) else None


def is_card(digits: str) -> bool:
    """Return whether digits have a card's check digit (Luhn) and are not a Japanese barcode."""
    from stdnum import ean, luhn  # takes 40 ms: only for what looks like a card

    return luhn.is_valid(digits) and not (BARCODE.fullmatch(digits) and ean.is_valid(digits))


def is_my_number(digits: str) -> bool:
    """Return whether digits, not all the same, are a valid Japanese individual number."""
    from stdnum.jp import in_  # likewise

    return len(set(digits)) > 1 and in_.is_valid(digits)
