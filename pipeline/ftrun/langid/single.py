"""In which language a single text is, as far as that is sure: by its script, and within Latin by its function
words.

Letters are weighed by what they say: one Han character is worth about three Latin letters. Names of products
and people are in every language, so a text of names alone is in none.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

from ftrun.langid.tables import (
    FUNCTION_WORDS,
    HAN,
    HANGUL,
    KANA,
    LANGUAGE_NAMES,
    LATIN,
    LETTERS,
    LOOKED_AT,
    SCRIPTS,
    WORD,
    letters_by_script,
    said_in,
)

MAIN, MINOR = 0.4, 0.15  # of the weight: from MAIN on it is the text's script, below MINOR it is quoted
LAST_LATIN = "\u024f"
FOREIGN_ENOUGH = 4  # weight of letters that can't be a symbol or the unit of a number
CODE_SIGNS = ("`", "{", "}", ";", "=", "<", ">", "def ", "return", "SELECT")  # all code has one of them
CODE = re.compile(r"```|[{};=<>]{2}|[{};]\s*$|\bdef \w|\breturn\b|\bSELECT\b.+\bFROM\b", re.MULTILINE)
CJK_SIGN = re.compile("[\u3000-\u303f\uff00-\uff60]")  # punctuation, full-width letters
OWN_LETTERS = {code: LETTERS[code] for code in ("es", "pt", "pl")} | {"de": "ß", "tr": "ığş"}
OF_WORD = {
    word: tuple(code for code, known in FUNCTION_WORDS.items() if word in known)
    for word in frozenset[str]().union(*FUNCTION_WORDS.values())
}
FEWEST_WORDS, MANY_WORDS = 3, 12
SURE, SURE_SHARE = 1.5, 0.2  # words that only this language has, and the share of function words in all
AHEAD = 1.9  # times as many as of the next language


@lru_cache(maxsize=4096)
def sure_language(text: str) -> str | None:
    """Return the name of a text's language, or of its script where it may be in several; None where it isn't
    sure. Code is in no language.
    """
    head = text[:LOOKED_AT]
    if any(sign in head for sign in CODE_SIGNS) and CODE.search(head) and max(head) <= LAST_LATIN:
        return None
    head = said_in(text)
    letters = letters_by_script(head)
    latin = letters.pop(LATIN.name, 0)
    weights = {name: times * SCRIPTS[name].weight for name, times in letters.items()}
    total = latin + sum(weights.values())
    if latin >= (1 - MINOR) * total:
        return _latin(head)
    if KANA.name in weights:
        weights[KANA.name] += weights.pop(HAN.name, 0)
    name = max(weights, key=lambda one: weights[one])
    if weights[name] < FOREIGN_ENOUGH:
        return None
    # beside sentences in Latin letters the script must have the say; beside names it has it
    sentences = any(word in OF_WORD for word in WORD.findall(head.casefold()))
    return _title(name) if weights[name] >= (MAIN if sentences else MINOR) * total else None


def _title(script: str) -> str:
    """Return the name of a script's only language, else the script's."""
    found = SCRIPTS[script]
    alone = not found.shared and found is not HAN and found.language
    return LANGUAGE_NAMES[alone] if alone else script


def _latin(head: str) -> str | None:
    """Return the language of a text in Latin letters; Latin: it has sentences, but it isn't sure in which."""
    words = WORD.findall(unicodedata.normalize("NFC", head).casefold())
    if len(words) < FEWEST_WORDS or _names(head):
        return None  # titles and names are in every language
    scores = dict.fromkeys(FUNCTION_WORDS, 0.0)
    languages = Counter(OF_WORD[word] for word in words if word in OF_WORD)
    known = languages.total()
    for having, times in languages.items():
        for code in having:
            scores[code] += times / len(having)
    for code, letters in OWN_LETTERS.items() if not head.isascii() else ():
        scores[code] += any(letter in head for letter in letters)
    second, most = sorted(scores.values())[-2:]
    if known < SURE_SHARE * len(words) or most < SURE or most < AHEAD * second:
        return LATIN.name if known or len(words) >= MANY_WORDS else None
    return LANGUAGE_NAMES[max(scores, key=lambda one: scores[one])]


def _names(head: str) -> bool:
    """Return whether most words begin with a capital letter, as names and titles do."""
    words: list[str] = WORD.findall(head)
    return sum(word[0].isupper() for word in words) * 2 > len(words)


def differ(asked: str, answered: str) -> bool:
    """Return whether two results of `sure_language` are surely of two languages."""
    if asked == answered or {asked, answered} == {LANGUAGE_NAMES["ja"], HAN.name}:
        return False
    if LATIN.name in (asked, answered):  # it may be any of them
        return not {asked, answered} <= {LATIN.name, *(LANGUAGE_NAMES[code] for code in FUNCTION_WORDS)}
    return True


def cjk_language(text: str, of_han: str | None = None) -> str | None:
    """Return the code of the language whose shapes of letters a text needs: ja, ko or zh; None if any do.

    Text in Han characters alone is in `of_han`, Chinese if that is None.
    """
    if text.isascii():
        return None
    for script in (KANA, HANGUL):
        if script.letters.search(text):
            return script.language
    return (of_han or HAN.language) if HAN.letters.search(text) or CJK_SIGN.search(text) else None
