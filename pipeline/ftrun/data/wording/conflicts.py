"""Whether two answers to one question can't both be right: yes and no, other values, other labels."""

from __future__ import annotations

import re
import unicodedata

from ftrun.data.wording.sameness import NEGATION, NUMBER_WORDS, Sameness, content_words, exact_words, sameness

YES = re.compile(
    r"\W*(?:yes|yeah|yep|sure|certainly|of course|correct|true|はい|ええ|うん|もちろん|可能です|できます|是的|是|对|可以|有|네|예|맞|да|конечно"
    r"|s[ií]|claro|oui|bien sûr|ja|jawohl|natürlich|sim|certo|tak|evet|có|ya|हाँ|हां|जी हाँ|نعم|כן|ναι|ใช่|ได้)(?![\w-])",
    re.IGNORECASE,
)
YES_CJK = re.compile(r"\W*(?:はい|ええ|もちろん|可能です|できます|是的|是|对|可以|有|네|예)")
NO = re.compile(
    r"\W*(?:no|nope|not|never|unfortunately|false|incorrect|sorry|нет|non|nein|leider|nee|não|nie|hayır|không|tidak|नहीं"
    r"|لا|לא|όχι|ไม่)(?![\w-])|\W*(?:いいえ|いえ|違います|できません|残念ながら|申し訳|不是|不|没|否|아니|못|불가)",
    re.IGNORECASE,
)
# 9:30, 1,200.50, 9am, v2, AB-123
VALUE = re.compile(r"(?<![\w.-])[a-z_-]*\d[\d.,:]*(?:[a-z0-9_-]*[a-z0-9])?", re.ASCII)
UNIT = re.compile(r"^(\d[\d.,:]*)[a-z]{1,3}$")
ROUND = re.compile(r"[.:]0+$")
OF_WORDS = {
    word: str(number)
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
        ]
    )
} | {sign: str(number) for number, sign in enumerate("〇一二三四五六七八九十")}
CJK_NUMBER = re.compile("[一二三四五六七八九十]+(?=[時日月年円個人分回歳階番点号]|点|号|块|元)")
WORD = re.compile(r"[^\W\d_]+")
LABEL_WORDS, LABEL_LENGTH = 3, 24  # at most: of a label
SHARED = 0.34  # of the content words of the shorter answer: they say the same in other words
FRAME = 0.5  # of the content words: one sentence with other values
LONG = 300  # characters: long answers have many details


def conflict(question: str, one: str, other: str, *, labels: bool, loose: bool) -> bool:
    """Return whether two answers conflict. `labels`: other short answers do; `loose`: so do those that share
    nothing.
    """
    if sameness(one, other) is Sameness.SAME:
        return False
    polarity = _polarity(one), _polarity(other)
    if None not in polarity and polarity[0] != polarity[1]:
        return True
    if not labels or max(len(one), len(other)) > LONG:
        return False
    asked = content_words(question)
    mine, others = content_words(one) - asked, content_words(other) - asked
    shared = len(mine & others) / max(1, min(len(mine), len(others)))
    values = _values(one), _values(other)
    if all(values) and not (values[0] <= values[1] or values[1] <= values[0]):
        return True
    if values[0] and values[0] == values[1]:
        return False  # at nine; from 9 o'clock on
    if _is_label(one) and _is_label(other):
        return not shared
    if shared >= FRAME and len(NEGATION.findall(one)) != len(NEGATION.findall(other)):
        return len(mine ^ others) <= 2
    names = exact_words(one).names - asked, exact_words(other).names - asked
    if shared >= FRAME and all(names) and not names[0] & names[1]:
        return True
    same_side = None not in polarity
    return loose and not same_side and shared < SHARED and bool(mine or others)


def _polarity(answer: str) -> bool | None:
    if NO.match(answer):
        return False
    return True if YES.match(answer) or YES_CJK.match(answer) else None


def _values(answer: str) -> frozenset[str]:
    """Return the numbers, days and months of an answer."""
    plain = unicodedata.normalize("NFKC", answer).casefold()
    found = (one.rstrip(".,:").replace(",", "") for one in VALUE.findall(plain))
    numbers = {ROUND.sub("", UNIT.sub(r"\1", one)) for one in found}
    words = WORD.findall(plain)
    said = {
        OF_WORDS.get(word, word)
        for word in words
        if word in NUMBER_WORDS and word not in ("one", "may", "first", "second")
    }
    signs = {OF_WORDS.get(one, one) for one in CJK_NUMBER.findall(plain)}
    return frozenset(numbers | said | signs)


def _is_label(answer: str) -> bool:
    """Return whether an answer is a label or a name: a few words without a sentence around them."""
    bare = answer.strip()
    return len(bare) <= LABEL_LENGTH and len(bare.split()) <= LABEL_WORDS and bare[-1:] not in "。.!！?？"
