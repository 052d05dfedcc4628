"""The language that most of many texts are in: by script and, where several languages share one, by common
words and letters. Says nothing when unsure: short texts, names and code are of no language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice
from typing import NamedTuple

from ftrun.langid.tables import (
    COMMON_WORDS,
    HAN,
    KANA,
    LATIN,
    LETTERS,
    SCRIPTS,
    WORD,
    letters_by_script,
    said_in,
    script_of,
)

MOST_TEXTS = 400
KANA_SHARE = 0.03  # of Han letters and kana: less than that is Chinese that quotes Japanese
FEWEST_HITS, HIT_SHARE = 1.6, 0.1  # common words, weighted; of all words
LEAD = 1.15  # over the next language
ALIKE = ({"da", "no"}, {"cs", "sk"}, {"hr", "sl"}, {"ru", "uk", "bg", "sr"})  # no lead is asked for
LETTER_WEIGHT = 0.5
TERMS = 0.2  # weight of Latin letters that form no common words: names and terms

Shares = dict[str, tuple[tuple[str, float], ...]]  # what a word or letter says, for each language that has it
Evidence = dict[str, float]  # by language: how much of its common words and letters was seen


class _Known(NamedTuple):
    """What words and letters of a script say."""

    words: Shares
    letters: Shares


def main_language(texts: Iterable[str]) -> str | None:
    """Return the ISO 639-1 code of the language that most of the texts are in, None if it is not clear.

    At most 400 texts are read, and 600 characters of each.
    """
    scripts, found, words = Counter[str](), Evidence(), Counter[str]()
    for text in islice(texts, MOST_TEXTS):
        _count(said_in(text), scripts, found, words)
    if not scripts:
        return None
    han, kana = scripts[HAN.name], scripts[KANA.name]
    if kana and kana >= KANA_SHARE * (han + kana):
        scripts[KANA.name] += han
        del scripts[HAN.name]
    weights = {name: number * SCRIPTS[name].weight for name, number in scripts.items()}
    if LATIN.name in weights and not _is_prose(LATIN.name, found, words):
        weights[LATIN.name] *= TERMS
    script = SCRIPTS[max(weights, key=lambda one: weights[one])]
    if script.shared:
        sure = _is_prose(script.name, found, words) and _leading(script.name, found)
        return sure or script.language
    return script.language if scripts[script.name] > 1 else None


def _is_prose(script: str, found: Evidence, words: Counter[str]) -> bool:
    """Return whether the words of a script are a text in one of its languages, not names and terms alone."""
    best = max(found.get(language, 0.0) for language in COMMON_WORDS[script])
    return best >= FEWEST_HITS and best >= HIT_SHARE * words[script]


def _count(text: str, scripts: Counter[str], found: Evidence, words: Counter[str]) -> None:
    """Add a text's letters by script, the evidence for each language, and its words by script."""
    letters, lower = letters_by_script(text), text.lower()
    scripts.update(letters)
    for script in letters.keys() & COMMON_WORDS.keys():
        known = _known(script)
        mine = [word for word in WORD.findall(lower) if script_of(word[0]) == script]
        words[script] += len(mine)
        for word in mine:
            for language, weight in known.words.get(word, ()):
                found[language] = found.get(language, 0.0) + weight
        for letter in lower if not lower.isascii() else ():
            for language, weight in known.letters.get(letter, ()):
                found[language] = found.get(language, 0.0) + weight


def _leading(script: str, found: Evidence) -> str | None:
    """Return the language of a script that most was seen of, None if the next one is near."""
    ranked = sorted(((found.get(one, 0.0), one) for one in COMMON_WORDS[script]), reverse=True)
    (best, language), (second, other) = ranked[0], ranked[1]
    leads = best >= LEAD * second or any({language, other} <= alike for alike in ALIKE)
    return language if leads else None


@cache
def _known(script: str) -> _Known:
    common = COMMON_WORDS[script]
    return _Known(
        words=_shared_out(common, 1.0),
        letters=_shared_out({one: LETTERS.get(one, "") for one in common}, LETTER_WEIGHT),
    )


def _shared_out(lists: Mapping[str, Iterable[str]], weight: float) -> Shares:
    """Return what each word or letter says for each language: the fewer share it, the more."""
    owners: dict[str, list[str]] = {}
    for language, words in lists.items():
        for word in words:
            owners.setdefault(word, []).append(language)
    return {word: tuple((one, weight / len(by) ** 0.5) for one in by) for word, by in owners.items()}
