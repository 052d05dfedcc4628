"""The language of rows: by their script and, in Latin letters, by everyday words and accents."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ftrun.data.readers.languages import LANGUAGES

SCRIPTS = (  # the first that has enough of the letters
    ("ja", re.compile("[\u3041-\u30ff]"), 0.1),
    ("ko", re.compile("[\uac00-\ud7a3]"), 0.3),
    ("zh", re.compile("[\u4e00-\u9fff]"), 0.3),
    ("vi", re.compile("[\u1ea0-\u1ef9ơưđ]"), 0.03),
    ("he", re.compile("[\u05d0-\u05ea]"), 0.3),
    ("ar", re.compile("[\u0621-\u06ff]"), 0.3),
    ("el", re.compile("[\u0370-\u03ff]"), 0.3),
    ("hi", re.compile("[\u0900-\u097f]"), 0.3),
    ("th", re.compile("[\u0e01-\u0e4e]"), 0.3),
    ("ru", re.compile("[\u0400-\u04ff]"), 0.3),
)
TITLES = {
    **{"en": "English", "ja": "Japanese", "ko": "Korean", "zh": "Chinese", "he": "Hebrew", "ar": "Arabic"},
    **{"fa": "Persian", "el": "Greek", "hi": "Hindi", "th": "Thai", "ru": "Russian", "uk": "Ukrainian"},
    **{"fr": "French", "es": "Spanish", "pt": "Portuguese", "de": "German", "it": "Italian", "nl": "Dutch"},
    **{"sv": "Swedish", "da": "Danish", "nb": "Norwegian", "fi": "Finnish", "is": "Icelandic"},
    **{"ca": "Catalan", "id": "Indonesian", "pl": "Polish", "cs": "Czech", "sk": "Slovak", "hu": "Hungarian"},
    **{"ro": "Romanian", "hr": "Croatian", "sl": "Slovenian", "tr": "Turkish", "lt": "Lithuanian"},
    **{"lv": "Latvian", "et": "Estonian", "vi": "Vietnamese"},
}
WORD = re.compile(r"[^\W\d_]+")
MOST_LOOKED_AT = 300  # rows
LEAST_WORDS = 0.12  # of the words of a text: so many everyday ones tell its language
PLAIN = ("en", "id", "nl", "it")  # languages with almost no accents
FEWEST_ACCENTS = 0.004  # of the characters: fewer are of a plain language
ACCENT = 0.5  # what a letter of the language counts, beside an everyday word


def language_of(texts: Sequence[str]) -> str | None:
    """Return the code of the language that most of the texts are in; None if unknown."""
    text = "\n".join(texts[:: max(1, len(texts) // MOST_LOOKED_AT)]).casefold()
    letters = sum(map(str.isalpha, text))
    if not letters:
        return None
    for code, script, least in SCRIPTS:
        if len(script.findall(text)) >= least * letters:
            return _nearer(code, text)
    return _latin(text)


def other_target(language: str) -> str:
    """Return the name of the target whose model knows a language that the usual one doesn't."""
    return "local-ja" if language == "ja" else "local-multilingual"


def _nearer(code: str, text: str) -> str:
    """Return the language of a script that several have."""
    if code == "ar" and re.search("[پچژگک]", text):
        return "fa"
    if code == "ru" and len(re.findall("[їєґі]", text)) > len(re.findall("[ыэё]", text)):
        return "uk"
    return code


def _latin(text: str) -> str | None:
    words = Counter(WORD.findall(text))
    accents = Counter(one for one in text if one > "\x7f" and one.isalpha())
    plain = accents.total() < FEWEST_ACCENTS * len(text)
    scores = {
        one.code: sum(words[word] for word in one.words)
        + ACCENT * sum(times for letter, times in accents.items() if letter in one.letters)
        - ACCENT * sum(times for letter, times in accents.items() if letter not in one.letters)
        for one in LANGUAGES
        if one.latin and not (plain and one.code not in PLAIN)
    }
    best = max(scores, key=lambda code: scores[code])
    return best if scores[best] >= LEAST_WORDS * words.total() else None
