"""Finding the encoding of Japanese text without a byte order mark: a name when sure, else a proposal.

Sure: the bytes decode without an error, and what comes out reads like Japanese (kana in runs, few rare kanji,
nothing that another encoding leaves behind, no line of another encoding). Text without kana is never sure.
The thresholds come from 90,000 texts in 50 encodings, of which none was read wrongly; the tests keep a part.
"""

from __future__ import annotations

import codecs
import functools
import re
import unicodedata
from typing import NamedTuple

MARKS = (  # the longer ones first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ESCAPES = frozenset(
    ("idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7")
)
NOT_TEXT = (
    (b"PK\x03\x04", "an Excel workbook or another zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip file"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3", "an SQLite database"),
)
HIRAGANA = re.compile("[\u3041-\u3096]+")
KANA = re.compile("[\u3041-\u30fc]")
KANA_RUN = re.compile("[\u3041-\u3096\u30a1-\u30fc]{2,}")
SMALL_VOWEL = re.compile("[ぁぃぅぇぉ]")  # rare in Japanese; as Big5 their bytes are everyday words
HALF_WIDTH = re.compile("[\uff61-\uff9f]+")
# private use (gaiji), C1 controls and what only other scripts have: nothing that a Japanese text is made of
STRANGE = re.compile("[\x80-\xa6\xa9-\xaf\xb2-\xb3\xb5\xb8-\xd6\xd8-\xf6\xf8-\xff\ue000-\uf8ff]")
KANJI = range(0x4E00, 0xA000)
NEVER_EUC = re.compile(rb"[\x80-\x8d\x90-\xa0]")  # most lines of cp932 have such a byte
# what UTF-8 looks like as cp932 (E3 81, E3 82, E3 83), and what EUC-JP looks like as cp932
LEFT_BEHIND = re.compile("[縺繧繝][^縺繧繝]{1,2}[縺繧繝]|(?:､[ｦ-ﾟ]){2}")
FEWEST_KANA = 4  # in runs; a Western word gives one or two single ones
FEWEST_EUC_KANA = 8  # traditional Chinese in Big5 can give more
LEAST_KANA = 0.2  # of the characters beyond ASCII
LEAST_EUC_HIRAGANA = 0.15
MOST_RARE = 0.1
MOST_SMALL_VOWELS = 0.05  # of the hiragana
NO_KANA = 30  # characters beyond ASCII: so many without any kana are not Japanese
SPARSE = 100  # a block with fewer characters beyond ASCII than this is not judged by its shares
FIRST_LEVEL = (0x889F, 0x9872)  # the kanji in general use: JIS level 1, by its codes in Shift_JIS
LEAST_PLAIN = 0.9  # of UTF-16: ASCII and everyday scripts
EVERYDAY = (  # Latin to Arabic, Devanagari, Thai, punctuation, kana, kanji, hangul, full-width forms
    *("\xa0\u024f", "\u0300\u06ff", "\u0900\u097f", "\u0e00\u0e7f", "\u2010\u2122", "\u3000\u30ff"),
    *("\u4e00\u9fff", "\uac00\ud7a3", "\uff01\uffee", "\ud800\udfff", "\U0001f300\U0001faff"),
)
ESCAPED = re.compile(rb"\x1b\$[@B]|\x1b\([BJI]")  # ISO-2022-JP; in every other respect it is ASCII


class CharacterCounts(NamedTuple):
    """What bytes say in one encoding: the numbers of characters by kind."""

    foreign: int  # beyond ASCII
    hiragana: int
    small_vowels: int
    kana_in_runs: int
    half_width: int
    rare: int
    strange: bool


def known_encoding(asked: str) -> str | None:
    """Return Python's name of a text encoding, None if `asked` is none."""
    try:
        found = codecs.lookup(asked)
    except (LookupError, ValueError):
        return None
    # binary codecs such as base64 and escapes that can make lone surrogates are not text encodings
    usable = getattr(found, "_is_text_encoding", True) and found.name not in ESCAPES
    return found.name if usable else None


def sure_encoding(sample: bytes) -> str | None:
    """Return cp932, euc_jp, utf-16-le or utf-16-be if `sample` can be nothing else, else None.

    `sample` begins at a line's start, is not UTF-8, and may end within a character.
    """
    if b"\0" in sample:
        return _sure_utf16(sample)
    reading, euc = _reading(sample, "cp932"), _reading(sample, "euc_jp")
    if reading is not None and _is_japanese(reading, FEWEST_KANA):
        return "cp932" if _is_of_one_kind(sample, "cp932") else None
    if euc is not None and _is_euc(euc):
        return "euc_jp" if _is_of_one_kind(sample, "euc_jp") else None
    return None


def agrees(block: bytes, encoding: str) -> bool:
    """Return whether a later block of the same file reads as well as the first one did."""
    if encoding.startswith("utf-16"):
        return _reads_as_utf16(block, encoding)
    text = _decoded(block, encoding)  # only what must be checked: large files have many blocks
    if text is None or STRANGE.search(text) or LEFT_BEHIND.search(text):
        return False
    foreign = _foreign(text)
    usual = foreign < SPARSE or _number(_rare_kanji(), text) <= MOST_RARE * foreign
    return usual and _is_of_one_kind(block, encoding)


def likely_encoding(sample: bytes) -> str | None:
    """Return the best proposal for bytes that begin at a line's start and are not UTF-8, None without one."""
    if ESCAPED.search(sample):
        return "iso2022_jp"
    if b"\0" in sample:
        return _likely_utf16(sample)
    readings = {name: _reading(sample, name) for name in ("cp932", "euc_jp", "euc_jis_2004", "utf-8")}
    scores = {name: _everyday(one) for name, one in readings.items() if one is not None}
    if scores:
        best = max(scores, key=lambda name: scores[name])
        return "gb18030" if best.startswith("euc") and _is_chinese(readings[best], sample) else best
    return "cp1252" if _decoded(sample, "cp1252") is not None else None


def other_encoding(sample: bytes) -> str | None:
    """Return the encoding of the lines that are not UTF-8, where others are; None if unsure."""
    lines = sample.splitlines(keepends=True)
    others = [line for line in lines if line.isascii() or not _is_utf8(line)]
    return sure_encoding(b"".join(others)) if len(others) < len(lines) else None


def _is_chinese(reading: CharacterCounts | None, sample: bytes) -> bool:
    """Return whether what reads as EUC-JP is rather simplified Chinese: similar bytes, but without kana."""
    without = reading is not None and reading.foreign >= NO_KANA and reading.kana_in_runs == 0
    return without and _decoded(sample, "gb18030") is not None


def _decoded(sample: bytes, encoding: str) -> str | None:
    try:  # incremental: the sample may end within a character
        return codecs.getincrementaldecoder(encoding)("strict").decode(sample)
    except UnicodeDecodeError:
        return None


def _reading(sample: bytes, encoding: str) -> CharacterCounts | None:
    text = _decoded(sample, encoding)
    if text is None:
        return None
    return CharacterCounts(
        foreign=_foreign(text),
        hiragana=_number(HIRAGANA, text),
        small_vowels=len(SMALL_VOWEL.findall(text)),
        kana_in_runs=_number(KANA_RUN, text),
        half_width=_number(HALF_WIDTH, text),
        rare=_number(_rare_kanji(), text),
        strange=bool(STRANGE.search(text) or LEFT_BEHIND.search(text)),
    )


def _number(characters: re.Pattern[str], text: str) -> int:
    return sum(map(len, characters.findall(text)))


def _foreign(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


@functools.cache
def _rare_kanji() -> re.Pattern[str]:
    first, last = FIRST_LEVEL
    usual = {code.to_bytes(2).decode("cp932", "ignore") for code in range(first, last + 1)}
    return re.compile(f"[{''.join(sorted(set(map(chr, KANJI)) - usual))}]+")


def _is_japanese(reading: CharacterCounts, fewest: int) -> bool:
    if reading.strange:
        return False
    enough = reading.kana_in_runs >= max(fewest, LEAST_KANA * reading.foreign)
    return enough and reading.rare <= MOST_RARE * reading.foreign


def _is_euc(reading: CharacterCounts) -> bool:
    usual = reading.small_vowels <= MOST_SMALL_VOWELS * reading.hiragana
    kana = reading.hiragana >= LEAST_EUC_HIRAGANA * reading.foreign
    return usual and kana and _is_japanese(reading, FEWEST_EUC_KANA)


def _is_of_one_kind(block: bytes, encoding: str) -> bool:
    """Return whether no line is UTF-8 or, among cp932, EUC-JP: files get joined."""
    lines = [line for line in block.splitlines() if not line.isascii()]
    return not any(_is_utf8(line) or (encoding == "cp932" and _is_euc_line(line)) for line in lines)


def _is_utf8(line: bytes) -> bool:
    try:  # characters of two bytes happen by chance
        return max(line.decode()) >= "\u0800"
    except UnicodeDecodeError:
        return False


def _is_euc_line(line: bytes) -> bool:
    if NEVER_EUC.search(line):
        return False
    windows, unix = _decoded(line, "cp932"), _decoded(line, "euc_jp")
    if windows is None or unix is None:
        return False
    mostly_half_width = 2 * _number(HALF_WIDTH, windows) >= _foreign(windows)
    return mostly_half_width and KANA.search(unix) is not None


def _everyday(reading: CharacterCounts) -> float:
    """Return the share of characters that everyday text has; half-width kana are what EUC-JP turns into."""
    if not reading.foreign:
        return 1.0
    return 1 - (reading.half_width + reading.rare + reading.strange) / reading.foreign


def _sure_utf16(sample: bytes) -> str | None:
    whole = sample[: len(sample) // 2 * 2]
    for name, zeros in (("utf-16-le", 1), ("utf-16-be", 0)):
        # no rule for the other byte: 一 (U+4E00) and its like have a zero there
        text = _decoded(whole, name) if whole[zeros::2].count(0) > 1 else None
        if text is None or "\n" not in text or not _reads_as_utf16(whole, name):
            continue
        other = "utf-16-be" if name == "utf-16-le" else "utf-16-le"
        plain = sum(map(_is_plain, text))
        return name if plain >= LEAST_PLAIN * len(text) and not _reads_as_utf16(whole, other) else None
    return None


def _is_plain(character: str) -> bool:
    """Return whether a character is of everyday text in an everyday script."""
    return character < "\x7f" or any(pair[0] <= character <= pair[1] for pair in EVERYDAY)


def _reads_as_utf16(block: bytes, encoding: str) -> bool:
    """Return whether every character is one that texts have: no control, no private use, none unassigned."""
    text = _decoded(block, encoding)
    if text is None:
        return False
    bad = ("Cn", "Co", "Cs", "Cc")
    return not any(unicodedata.category(one) in bad for one in set(text) - {"\t", "\r", "\n"})


def _likely_utf16(sample: bytes) -> str | None:
    odd, even = sample[1::2].count(0), sample[0::2].count(0)
    name = "utf-16-le" if odd > even else "utf-16-be"
    likely = max(odd, even) > max(1, 2 * min(odd, even), len(sample) // 200)
    return name if likely and _decoded(sample, name) is not None else None
