"""Which encoding bytes are in, by how much their reading in each is like text of a language.

Each reading has a length in bits: frequent letters of a language are short, others long, and what no text has
(a capital after a small letter, a sign within a word) is longer still. The shortest is the most plausible. It
is sure if it is shorter by far than every reading that says something else, and short enough for text at all.
What repeats counts once: a hundred rows of one sentence are no better evidence than one.
"""

from __future__ import annotations

import codecs
import functools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ftrun.data.readers.languages import LANGUAGES, Language

BETWEEN = re.compile(rb"[\x00-\x3f]+")  # bytes outside characters of two bytes
LONGEST = 20_000  # bytes of different words that are looked at
DECAY = 3.7  # how fast letters get rare: the last of an alphabet has e ** -3.7 of the first one's share
CAPITAL = 0.3  # bits that a capital is longer than its small letter
PUNCTUATION = dict.fromkeys("’‘“”„‚«»–—…•·№°§©®™€£¥´\u00a0\u200b\u200c\u200d\u200e\u200f،؛؟", 6.0)
CJK_PUNCTUATION = dict.fromkeys("，。、！？：；（）「」『』“”《》【】…—・～·ー‘’％　〜", 6.5)
OTHER_LETTER, OTHER_SIGN, NO_TEXT = 15.0, 13.0, 22.0
ALL_CAPITALS = 10.0  # bits of a text that is mostly capitals
CASE, WITHIN, MIXED = 7.0, 7.0, 5.0  # bits of a capital, a sign, another script within a word
WORD = 2.5  # bits that an everyday word saves
MARGIN = 15.0  # bits
RARE_ENCODING = 15.0  # bits that a reading in an encoding of old systems is longer
USUAL = frozenset(
    [
        "cp1250",
        "cp1251",
        "cp1252",
        "cp1253",
        "cp1254",
        "cp1255",
        "cp1256",
        "cp1257",
        "cp1258",
        "cp874",
        "koi8_r",
        "koi8_u",
    ]
)
MARGIN_PER_BYTE = 0.12
MOST_PER_LETTER = {True: 7.5, False: 6.6}  # bits: of a language in Latin letters, of another
MOST_PER_CHARACTER = {"gb18030": 13.0, "big5hkscs": 13.0, "cp949": 10.0, "cp932": 12.0, "euc_jp": 12.0}
CLASS = {"Lu": "U", "Lt": "U", "Ll": "l", "Lo": "o", "Lm": "o", "Mn": "o", "Mc": "o"}
CASE_BREAK = re.compile("(?<=[la])U|(?<=l)A")
SIGN_WITHIN = re.compile("(?<=[laUAo])s(?=[laUAo])")
FINAL_WITHIN = re.compile(r"[ςךםןףץ](?=[^\W\d_])")  # letters that end words
SCRIPT_BREAK = re.compile("[lUo](?=[aA])|[aA](?=[lUo])")


class Reading(NamedTuple):
    """What bytes say in an encoding, how long that is in bits, in which language; `usual`: like text."""

    encoding: str
    bits: float
    language: str
    text: str
    usual: bool


def readings(sample: bytes) -> list[Reading]:
    """Return what `sample` says in each encoding that can read it, the most plausible first.

    Of encodings in which it says the same only the first of the table is returned. `sample` begins at a
    line's start, is not UTF-8, has no NUL, and may end within a character.
    """
    words = _different(sample)
    found: dict[str, Reading] = {}
    for encoding in _encodings():
        if _decoded(sample, encoding) is None:
            continue
        text = _decoded(words, encoding, "replace") or ""
        reading = _of_two_bytes(text, encoding) if encoding in MOST_PER_CHARACTER else _best(text, encoding)
        if encoding not in USUAL and encoding not in MOST_PER_CHARACTER:
            reading = reading._replace(bits=reading.bits + RARE_ENCODING)
        if text not in found or reading.bits < found[text].bits - 2 * MARGIN:
            found[text] = reading
    return sorted(found.values(), key=lambda one: one.bits)


def sure_reading(sample: bytes) -> str | None:
    """Return the encoding of `sample` if no other is nearly as plausible, else None.

    Encodings of old systems are never sure.
    """
    found = readings(sample)
    if not found or not found[0].usual or found[0].encoding not in (*USUAL, *MOST_PER_CHARACTER):
        return None
    beyond = sum(byte >= 0x80 for byte in _different(sample))
    margin = max(MARGIN, MARGIN_PER_BYTE * beyond)
    if len(found) > 1 and found[1].bits - found[0].bits < margin:
        return None
    return found[0].encoding


def stays_plausible(block: bytes, encoding: str) -> bool:
    """Return whether a later block of a file whose start is in `encoding` reads as text, too."""
    if block.isascii():
        return True
    text = _decoded(block, encoding)
    if text is None:
        return False
    words = _decoded(_different(block), encoding, "replace") or ""
    return (_of_two_bytes if encoding in MOST_PER_CHARACTER else _best)(words, encoding).usual


def _encodings() -> Iterator[str]:
    yield from dict.fromkeys(name for language in LANGUAGES for name in language.encodings)
    yield from MOST_PER_CHARACTER


def _different(sample: bytes) -> bytes:
    return b" ".join(dict.fromkeys(BETWEEN.split(sample)))[:LONGEST]


def _decoded(sample: bytes, encoding: str, errors: str = "strict") -> str | None:
    try:  # incremental: the sample may end within a character
        return codecs.getincrementaldecoder(encoding)(errors).decode(sample)
    except UnicodeDecodeError:
        return None


def _best(text: str, encoding: str) -> Reading:
    """Return the reading in the language of a one-byte encoding that fits it best."""
    counts = Counter(character for character in text if character >= "\x80")
    classes = "".join(map(_class_of, text))
    breaks = CASE * len(CASE_BREAK.findall(classes)) + WITHIN * len(SIGN_WITHIN.findall(classes))
    breaks += CASE * len(FINAL_WITHIN.findall(text))
    breaks += ALL_CAPITALS if classes.count("U") > classes.count("l") else 0
    mixed = MIXED * len(SCRIPT_BREAK.findall(classes))
    words = set(re.findall(r"[^\W\d_]+", text.lower()))
    best = None
    for language in LANGUAGES:
        if encoding not in language.encodings:
            continue
        costs = _costs(language)
        bits = sum(times * (costs.get(one) or _unusual(one)) for one, times in counts.items()) + breaks
        known = WORD * len(words & language.words)
        bits += -known if language.latin else mixed
        if best is None or bits < best.bits:
            usual = _is_usual(bits + (known if language.latin else 0), counts, language)
            best = Reading(encoding, bits, language.code, text, usual)
    assert best is not None
    return best


def _is_usual(bits: float, counts: Counter[str], language: Language) -> bool:
    """Return whether a reading of so many bits is text of the language, and enough of it."""
    known = sum(times for one, times in counts.items() if one in _costs(language))
    return known >= 2 and bits <= MOST_PER_LETTER[language.latin] * counts.total()


@functools.cache
def _costs(language: Language) -> Mapping[str, float]:
    weights = [math.exp(-DECAY * rank / len(language.letters)) for rank in range(len(language.letters))]
    costs = dict(PUNCTUATION)
    for letter, weight in zip(language.letters, weights, strict=True):
        bits = -math.log2(0.95 * weight / sum(weights))
        costs[letter] = bits
        if letter.upper() != letter and len(letter.upper()) == 1:
            costs.setdefault(letter.upper(), bits + CAPITAL)
    return costs


@functools.cache
def _unusual(character: str) -> float:
    """Return the bits of a character that the language doesn't have."""
    kind = unicodedata.category(character)
    if kind.startswith(("L", "M")):
        return OTHER_LETTER
    return NO_TEXT if kind.startswith("C") or character == "\ufffd" else OTHER_SIGN


@functools.cache
def _class_of(character: str) -> str:
    """Return what a character is within a word: a letter of ASCII (a, A) or not (l, U, o), a sign, a gap."""
    if character < "\x80":
        return ("A" if character.isupper() else "a") if character.isalpha() else " "
    kind = unicodedata.category(character)
    if kind in CLASS:
        return CLASS[kind]
    return " " if kind in ("Pi", "Pf", "Pd", "Po", "Zs", "Cf") else "s"


def _of_two_bytes(text: str, encoding: str) -> Reading:
    """Return the reading of Chinese, Japanese or Korean text."""
    counts = Counter(character for character in text if character >= "\x80")
    costs = _frequent(encoding)
    bits = sum(times * (costs.get(one) or _rare(one)) for one, times in counts.items())
    usual = counts.total() >= 8 and bits <= MOST_PER_CHARACTER[encoding] * counts.total()
    return Reading(encoding, bits, TWO_BYTES[encoding][0], text, usual)


def _rare(character: str) -> float:
    kind = unicodedata.category(character)
    return 19.0 if kind == "Lo" else 16.0 if kind.startswith("L") else _unusual(character) + 2


TWO_BYTES = {  # language, everyday characters, first and last byte of those in general use
    "gb18030": (
        "zh",
        "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小么心多天而能好"
        "都然没日于起还发成事只作当想看文无开手用主行方又如前所本见经头面公同已老从动两长知样现分将外但身些与高意进把法此实"
        "回二理美点月明其种声全工话者向情部正名定女问力机给等几很业最间新什打便位因重被走电第门次东政海口使教西再平真听信北"
        "少关并内加化由代军产入先山水体别处总场师书比住员九性通目报立数件安表原应路期提感何更反合放做系计或司利光世决府请吗"
        "呢能否您什么怎哪客服订单退款换货发票地址密码账号支付费用时间电话联系可以需要如何收到天内请问",
        range(0xB0, 0xD8),
        "gb2312",
    ),
    "big5hkscs": (
        "zh",
        "的一是不了在人有我他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可里後小麼心多天而能好"
        "都然沒日於起還發成事只作當想看文無開手用主行方又如前所本見經頭面公同已老從動兩長知樣現分將外但身些與高意進把法此實"
        "回二理美點月明其種聲全工話者向情部正名定女問力機給等幾很業最間新什打便位因重被走電第門次東政海口使教西再平真聽信北"
        "少關並內加化由代軍產入先山水體別處總場師書比住員九性通目報立數件安表原應路期提感何更反合放做系計或司利光世決府請嗎"
        "呢否您怎哪客服訂單退款換貨票址密碼帳號付費聯需收裡圖館",
        range(0xA4, 0xC7),
        "big5",
    ),
    "cp949": (
        "ko",
        "이다는을에의가지고하기로도사은리대어인아한나해서시자를들과일보정수장제부있게전주안그만적상라것요세신공구동원소여습니까"
        "합됩입할수없않되면까지네어떻게무엇언제디요금예약가능방법문의주세확인변경취소등록용이해야면합니됩니으로",
        range(0xB0, 0xC9),
        "euc_kr",
    ),
    "cp932": (
        "ja",
        "のにはをたがでてとしれさあいうるなもかられまりすこきよっそ日本人年大出一中上生見月分後前",
        range(0x88, 0x98),
        "shift_jis",
    ),
    "euc_jp": (
        "ja",
        "のにはをたがでてとしれさあいうるなもかられまりすこきよっそ日本人年大出一中上生見月分後前",
        range(0xB0, 0xD0),
        "euc_jp",
    ),
}


@functools.cache
def _frequent(encoding: str) -> Mapping[str, float]:
    """Return the bits of the characters that text in a two-byte encoding is made of."""
    _, everyday, first, table = TWO_BYTES[encoding]
    usual = {
        character
        for lead in first
        for trail in range(0x40, 0xFF)
        for character in bytes((lead, trail)).decode(table, "ignore")
        if character >= "\u3400"
    }
    costs = dict.fromkeys(usual, math.log2(len(usual) / 0.42))
    if encoding in ("cp932", "euc_jp"):
        costs |= dict.fromkeys(map(chr, range(0x3041, 0x3097)), 7.5) | dict.fromkeys(
            map(chr, range(0x30A1, 0x30FD)), 9.0
        )
    return costs | dict.fromkeys(everyday, math.log2(len(set(everyday)) / 0.5)) | CJK_PUNCTUATION
