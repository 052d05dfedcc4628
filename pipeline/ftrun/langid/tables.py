"""What is known of languages: their names, scripts, letters and common words (words.json)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

# by ISO 639-1 code
LANGUAGE_NAMES: Mapping[str, str] = {
    **{"ar": "Arabic", "am": "Amharic", "be": "Belarusian", "bg": "Bulgarian", "bn": "Bengali"},
    **{"ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English"},
    **{"es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French"},
    **{"gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian"},
    **{"hy": "Armenian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese"},
    **{"ka": "Georgian", "km": "Khmer", "kn": "Kannada", "ko": "Korean", "lo": "Lao", "lt": "Lithuanian"},
    **{"lv": "Latvian", "ml": "Malayalam", "mr": "Marathi", "my": "Burmese", "nl": "Dutch"},
    **{"no": "Norwegian", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian"},
    **{"ru": "Russian", "si": "Sinhala", "sk": "Slovak", "sl": "Slovenian", "sr": "Serbian"},
    **{"sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tl": "Filipino"},
    **{"tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese"},
}


class Script(NamedTuple):
    """A script: its letters, how many Latin ones each says as much as, and the language of a text in it.

    `shared`: several languages use it, and `language` is the one of a text without any common word of them.
    """

    name: str
    letters: re.Pattern[str]
    weight: float
    language: str | None
    shared: bool


def _script(
    name: str, letters: str, language: str | None, *, weight: float = 1, shared: bool = False
) -> Script:
    return Script(name, re.compile(f"[{letters}]"), weight, language, shared)


LATIN, KANA, HAN, HANGUL = (
    _script("Latin", "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff", None, shared=True),
    _script("Kana", "\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d", "ja", weight=2),
    _script("Han", "\u4e00-\u9fff\u3400-\u4dbf", "zh", weight=3),
    _script("Hangul", "\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e", "ko", weight=2.5),
)
SCRIPTS: Mapping[str, Script] = {
    one.name: one
    for one in (
        LATIN,
        KANA,
        HAN,
        HANGUL,
        _script("Cyrillic", "\u0400-\u052f", "ru", shared=True),
        _script("Arabic", "\u0620-\u064a\u066e-\u06d3\u06fa-\u06fc", "ar", weight=1.3, shared=True),
        _script("Devanagari", "\u0900-\u0963\u0971-\u097f", "hi", shared=True),
        _script("Greek", "\u0370-\u03ff\u1f00-\u1fff", "el"),
        _script("Hebrew", "\u05d0-\u05ea", "he", weight=1.3),
        _script("Bengali", "\u0980-\u09e5\u09f0-\u09ff", "bn"),
        _script("Gurmukhi", "\u0a00-\u0a65\u0a70-\u0a7f", "pa"),
        _script("Gujarati", "\u0a80-\u0ae5\u0af0-\u0aff", "gu"),
        _script("Tamil", "\u0b80-\u0be5\u0bf0-\u0bff", "ta"),
        _script("Telugu", "\u0c00-\u0c65\u0c70-\u0c7f", "te"),
        _script("Kannada", "\u0c80-\u0ce5\u0cf0-\u0cff", "kn"),
        _script("Malayalam", "\u0d00-\u0d65\u0d70-\u0d7f", "ml"),
        _script("Sinhala", "\u0d80-\u0dff", "si"),
        _script("Thai", "\u0e01-\u0e4e", "th"),
        _script("Lao", "\u0e81-\u0ecd", "lo"),
        _script("Burmese", "\u1000-\u103f\u1050-\u109f", "my"),
        _script("Georgian", "\u10a0-\u10ff", "ka"),
        _script("Armenian", "\u0531-\u0587", "hy"),
        _script("Ethiopic", "\u1200-\u137f", "am", weight=2),
        _script("Khmer", "\u1780-\u17d3", "km"),
    )
}
# letters that few languages of a script have
LETTERS: Mapping[str, str] = {
    **{"es": "ñ¿¡", "pt": "ãõ", "fr": "œêèùû", "de": "ßäöü", "sv": "åäö", "da": "æøå", "no": "æøå"},
    **{"fi": "äö", "et": "õäü", "pl": "łżźćńśęą", "cs": "řěůčšžý", "sk": "ľĺŕôäťď", "sl": "čšž"},
    **{"hr": "đćčšž", "hu": "őűöüáé", "ro": "șțăşţâ", "tr": "ığşçöü", "ca": "·çïò", "lt": "ėųūįąęčšž"},
    **{"lv": "āēīūģķļņšž", "is": "ðþæöý", "it": "ìòàè"},
    "vi": "ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹăđơư",
    **{"ru": "ыэё", "uk": "іїєґ", "bg": "ъщ", "sr": "јљњћђџ"},
    **{"fa": "پچژگک", "ur": "ٹڈڑںے", "mr": "ळ"},
}
# by script and language: function words, with which one sentence shows its language, and other common words
_WORDS: Mapping[str, Mapping[str, Mapping[str, str]]] = json.loads(
    Path(__file__).with_name("words.json").read_text(encoding="utf-8")
)
FUNCTION_WORDS: Mapping[str, frozenset[str]] = {
    code: frozenset(words["function"].split())
    for lists in _WORDS.values()
    for code, words in lists.items()
    if "function" in words
}
COMMON_WORDS: Mapping[str, Mapping[str, frozenset[str]]] = {
    script: {code: frozenset(" ".join(words.values()).split()) for code, words in lists.items()}
    for script, lists in _WORDS.items()
}
# the signs of Devanagari, such as vowels, are not letters to Python
WORD = re.compile(r"(?:[^\W\d_]|[\u0900-\u0903\u093a-\u094f])+(?:['’][^\W\d_]+)?")
# what is not written in any language: addresses, code, keys, names in a path, markup, templates
NO_TEXT = re.compile(
    r"```.*?(?:```|\Z)|`[^`]*`|<[^<>]{1,200}>|\{[^}]{0,200}\}|\bhttps?://\S+|\bwww\.\S+|\S+@\S+\.\S+"
    r"|[A-Za-z0-9_-]{25,}|\b\w+(?:[./\\_]\w+)+|\w+\(\)|\$\S+",
    re.DOTALL,
)
MAY_HAVE_NO_TEXT = re.compile(r"[`<@/\\_$({]|\w\.\w|[A-Za-z0-9_-]{25}")
LOOKED_AT = 600  # characters of a text
ASCII_LETTER = re.compile("[A-Za-z]")


def said_in(text: str) -> str:
    """Return the beginning of a text without what is in no language."""
    head = text[:LOOKED_AT]
    return NO_TEXT.sub(" ", head) if MAY_HAVE_NO_TEXT.search(head) else head


def letters_by_script(text: str) -> Counter[str]:
    """Return how many letters of each script a text has."""
    if text.isascii():
        letters = len(ASCII_LETTER.findall(text))
        return Counter({LATIN.name: letters} if letters else {})
    found = Counter[str]()
    for letter, times in Counter(text).items():
        found[script_of(letter)] += times
    del found[""]
    return found


@lru_cache(maxsize=8192)
def script_of(letter: str) -> str:
    """Return the name of a letter's script; nothing if that is not a known one."""
    return next((one.name for one in SCRIPTS.values() if one.letters.match(letter)), "")
