"""Recognise the language of texts: by script and, where several languages share one, by common words and
letters. Says nothing when unsure: short texts, names and code are of no language.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

LANGUAGE_NAMES: Mapping[str, str] = {
    **{"ar": "Arabic", "am": "Amharic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech"},
    **{"da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian"},
    **{"fa": "Persian", "fi": "Finnish", "fr": "French", "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi"},
    **{"hr": "Croatian", "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian", "it": "Italian"},
    **{"ja": "Japanese", "ka": "Georgian", "km": "Khmer", "kn": "Kannada", "ko": "Korean", "lo": "Lao"},
    **{"lt": "Lithuanian", "lv": "Latvian", "ml": "Malayalam", "mr": "Marathi", "my": "Burmese"},
    **{"nl": "Dutch", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese"},
    **{"ro": "Romanian", "ru": "Russian", "si": "Sinhala", "sk": "Slovak", "sl": "Slovenian"},
    **{"sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai"},
    **{"tl": "Filipino", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese"},
    "zh": "Chinese",
}
# scripts that (nearly) one living language is written in
SCRIPTS: Mapping[str, str] = {
    **{"ja": "\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d", "ko": "\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e"},
    **{"he": "\u05d0-\u05ea", "el": "\u0370-\u03ff\u1f00-\u1fff", "th": "\u0e01-\u0e4e"},
    **{"bn": "\u0980-\u09ff", "pa": "\u0a00-\u0a7f", "gu": "\u0a80-\u0aff", "ta": "\u0b80-\u0bff"},
    **{"te": "\u0c00-\u0c7f", "kn": "\u0c80-\u0cff", "ml": "\u0d00-\u0d7f", "si": "\u0d80-\u0dff"},
    **{"lo": "\u0e80-\u0eff", "my": "\u1000-\u109f", "ka": "\u10a0-\u10ff", "am": "\u1200-\u137f"},
    **{"km": "\u1780-\u17ff", "hy": "\u0530-\u058f", "zh": "\u4e00-\u9fff\u3400-\u4dbf"},
}
# scripts of several languages: the letters, and the language of a text without any common word of them
SHARED: Mapping[str, tuple[str, str | None]] = {
    "Latin": ("A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff", None),
    "Cyrillic": ("\u0400-\u04ff", "ru"),
    "Arabic": ("\u0620-\u064a\u066e-\u06d3", "ar"),
    "Devanagari": ("\u0900-\u097f", "hi"),
}
# letters that few languages of a script have
LETTERS: Mapping[str, str] = {
    **{"es": "ñ¿¡", "pt": "ãõ", "fr": "œêèùû", "de": "ßäöü", "sv": "åäö", "da": "æøå", "no": "æøå"},
    **{
        "fi": "äö",
        "et": "õäü",
        "pl": "łżźćńśęą",
        "cs": "řěůčšžý",
        "sk": "ľĺŕôäťď",
        "sl": "čšž",
        "hr": "đćčšž",
    },
    **{"hu": "őűöüáé", "ro": "șțăşţâ", "tr": "ığşçöü", "ca": "·çïò", "lt": "ėųūįąęčšž", "lv": "āēīūģķļņšž"},
    **{"vi": "ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹăđơư", "it": "ìòàè"},
    **{"ru": "ыэё", "uk": "іїєґ", "bg": "ъщ", "sr": "јљњћђџ"},
    **{"fa": "پچژگک", "ur": "ٹڈڑںے", "mr": "ळ"},
}
WORDS = Path(__file__).with_name("language_words.json")  # common words, by script and language
# the signs of Devanagari, such as vowels, are not letters to Python
WORD = re.compile(r"(?:[^\W\d_]|[\u0900-\u0903\u093a-\u094f])+(?:['’][^\W\d_]+)?")
# what is no text in a language: addresses, code, keys, names in a path, markup, templates
NO_TEXT = re.compile(
    r"```.*?(?:```|\Z)|`[^`]*`|https?://\S+|[A-Za-z0-9.+_-]{1,64}@\S+|<[^>]{0,200}>|\{[^}]{0,200}\}",
    re.DOTALL,
)
LOOKED_AT = 600  # characters of one text
MOST_TEXTS = 400
KANA_SHARE = 0.03  # of Han letters and kana: less than that is Chinese that quotes Japanese
FEWEST_HITS, HIT_SHARE = 1.6, 0.1  # common words, weighted; of all words
LEAD = 1.15  # over the next language
ALIKE = ({"da", "no"}, {"cs", "sk"}, {"hr", "sl"}, {"ru", "uk", "bg", "sr"})  # no lead is asked for
LETTER_WEIGHT = 0.5
# of a letter: Han letters and syllables say more; Latin ones that form no common words are names and terms
WEIGHTS: Mapping[str, float] = {"zh": 2.0, "ja": 2.0, "ko": 2.0}
TERMS = 0.2


class _Tables(NamedTuple):
    """By script: its languages, and what words and letters say for each; the patterns of all scripts."""

    languages: dict[str, tuple[str, ...]]
    words: dict[str, dict[str, tuple[tuple[str, float], ...]]]
    letters: dict[str, dict[str, tuple[tuple[str, float], ...]]]
    scripts: tuple[tuple[str, re.Pattern[str]], ...]


Evidence = dict[str, float]  # by language: how much of its common words and letters was seen


def language_of(text: str) -> str | None:
    """Return the ISO 639-1 code of a text's language, None if it is not clear."""
    return main_language((text,))


def main_language(texts: Iterable[str]) -> str | None:
    """Return the ISO 639-1 code of the language that most of the texts are in, None if it is not clear.

    At most 400 texts are read, and 600 characters of each.
    """
    scripts, found, words = Counter[str](), Evidence(), Counter[str]()
    for text in islice(texts, MOST_TEXTS):
        _count(NO_TEXT.sub(" ", text[:LOOKED_AT]), scripts, found, words)
    if not scripts:
        return None
    han, kana = scripts["zh"], scripts["ja"]
    if kana and kana >= KANA_SHARE * (han + kana):
        scripts["ja"] += han
        del scripts["zh"]
    weights = {script: number * WEIGHTS.get(script, 1.0) for script, number in scripts.items()}
    if "Latin" in weights and not _is_prose("Latin", found, words):
        weights["Latin"] *= TERMS
    script = max(weights, key=lambda one: weights[one])
    if script not in SHARED:
        return script if scripts[script] > 1 else None
    return _of_a_shared_script(script, found, prose=_is_prose(script, found, words))


def _is_prose(script: str, found: Evidence, words: Counter[str]) -> bool:
    """Return whether the words of a script are a text in one of its languages, not names and terms alone."""
    best = max(found.get(language, 0.0) for language in _loaded().languages[script])
    return best >= FEWEST_HITS and best >= HIT_SHARE * words[script]


def _count(text: str, scripts: Counter[str], found: Evidence, words: Counter[str]) -> None:
    """Add a text's letters by script, the evidence for each language, and its words by script."""
    tables, distinct = _loaded(), "".join(set(text))
    for script, pattern in tables.scripts[:1] if text.isascii() else tables.scripts:
        if not pattern.search(distinct):  # most scripts are in no text
            continue
        scripts[script] += len(pattern.findall(text))
        if script not in SHARED:
            continue
        known, marks = tables.words[script], tables.letters[script]
        mine = [word for word in WORD.findall(text.lower()) if pattern.match(word)]
        words[script] += len(mine)
        for word in mine:
            for language, weight in known.get(word, ()):
                found[language] = found.get(language, 0.0) + weight
        for letter in text.lower() if not text.isascii() else ():
            for language, weight in marks.get(letter, ()):
                found[language] = found.get(language, 0.0) + weight


def _of_a_shared_script(script: str, found: Evidence, *, prose: bool) -> str | None:
    usual = SHARED[script][1]
    ranked = sorted(((found.get(one, 0.0), one) for one in _loaded().languages[script]), reverse=True)
    (best, language), (second, other) = ranked[0], ranked[1]
    leads = best >= LEAD * second or any({language, other} <= alike for alike in ALIKE)
    return language if prose and leads else usual


@cache
def _loaded() -> _Tables:
    common: dict[str, dict[str, str]] = json.loads(WORDS.read_text(encoding="utf-8"))
    languages = {script: tuple(lists) for script, lists in common.items()}
    ranges = {**{name: letters for name, (letters, _) in SHARED.items()}, **SCRIPTS}
    return _Tables(
        languages=languages,
        words={
            script: _shared_out({one: text.split() for one, text in lists.items()}, 1.0)
            for script, lists in common.items()
        },
        letters={
            script: _shared_out({one: LETTERS.get(one, "") for one in ours}, LETTER_WEIGHT)
            for script, ours in languages.items()
        },
        scripts=tuple((name, re.compile(f"[{letters}]")) for name, letters in ranges.items()),
    )


def _shared_out(
    lists: Mapping[str, Iterable[str]], weight: float
) -> dict[str, tuple[tuple[str, float], ...]]:
    """Return what each word or letter says for each language: the fewer share it, the more."""
    owners: dict[str, list[str]] = {}
    for language, words in lists.items():
        for word in dict.fromkeys(words):
            owners.setdefault(word, []).append(language)
    return {word: tuple((one, weight / len(by) ** 0.5) for one in by) for word, by in owners.items()}
