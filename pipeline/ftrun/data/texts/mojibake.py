"""Texts that were decoded in a wrong encoding: which one it was, and the text as it was meant.

UTF-8 writes a character as a lead byte and bytes that continue it. Where such bytes were read in an encoding
of single bytes, the pairs that come of it hardly occur in real texts. So they are found and turned back one
by one, and the sound text around them stays.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

LOST = re.compile("\ufffd|ï¿½|锟斤拷")
# UTF-8 read as cp932: the first bytes of kana become these; two of them are not a coincidence
AS_CP932 = re.compile(
    "[縺繧繝][^\\s]{0,3}[縺繧繝]|郢[ｧ-ﾟァ-ヶ]|髮[\ufffd蟄]|(?<=[A-Za-z])(?:[ﾂﾃﾄﾅ][｡-ﾟ]|窶[冱冦])"
)
# UTF-8 read as GBK: what the first two bytes of frequent characters become
AS_GBK = re.compile(
    "[锛銆鐨鏄浣鍦涓鎴鍒绛璇][^\\s]{0,3}[锛銆鐨鏄浣鍦涓鎴鍒绛璇]|锟斤拷|鈥[檚檛檙測渟]|(?<=[a-z])[茅猫枚眉脽帽莽](?![一-龥])"
)
AFTER_LATIN = "茅猫枚眉脽帽莽"  # telling only there
# cp932 read as Windows-1252: hiragana and katakana begin with these
SJIS_AS_LATIN = re.compile("(?:‚[^\\s\\w'\"]|ƒ[^\\s\\w]|‚[\xa0-\xf1]|ƒ[@-~\x80-\x96]){2}")
# EUC-JP read as cp932: kana become a half-width comma or dot and a kana; but ｱ､ｲ､ｳ､ｴ is a list
EUC_AS_CP932 = re.compile("(?<![ｦ-ﾝ])(?:[､･][｡-ﾟ]){3}")
# what is written with characters of several bytes: anything else comes of sound text that was turned back
PLAUSIBLE = re.compile("[\\s!-~\xa0-\xffｦ-ﾟ\u2010-\u206f\u20ac\u3000-\u30ff\u4e00-\u9fff！-～]{2,}|[À-ÿ]")
# Windows-1252 read as Latin-1: curly quotes and dashes become control characters
C1_QUOTE = re.compile("(?<![^\x00-\x7f])[\x80\x85\x91-\x97\x99](?![^\x00-\x7f])")
LATIN_TAIL = "".join(bytes((one,)).decode("cp1252", "ignore") for one in range(0x80, 0xC0)) + "\x80-\x9f"
AS_LATIN = re.compile(
    f"Ã[{LATIN_TAIL}]|Â[\xa0-\xbf]|â€[{LATIN_TAIL}]?|â\x80[\x80-\xbf]|ã[{LATIN_TAIL}]{{2}}"
    f"|[æçèéä][{LATIN_TAIL}]{{2}}|ðŸ[{LATIN_TAIL}]{{2}}|ð\x9f[\x80-\xbf]{{2}}"
    f"|(?:[\xc2-\xdf][{LATIN_TAIL}]|[\xe0-\xef][{LATIN_TAIL}]{{2}}){{2}}"
    f"|(?<=[A-Za-z])[\xc2-\xdf][{LATIN_TAIL}](?=[a-z])"
)
# after an accented capital in the middle of a word no text has one of these
SIGNS = "©®°±¶§¤¦¬µ·¸ŁĽĄşźťžľľłž‚„…†‡‰‹›•–—™˘ˇ˛˙"
NAMES = {
    "utf-8": "UTF-8",
    "euc_jp": "EUC-JP",
    "latin-1": "Latin-1",
    "mac_roman": "Mac Roman",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
    "cp1252": "Windows-1252",
    "cp1253": "Windows-1253",
    "cp1254": "Windows-1254",
    "cp1256": "Windows-1256",
}
# of single bytes, the likeliest first; in the text of another script one pair is telling
SINGLE_BYTE = ("cp1252", "cp1251", "cp1250", "cp1254", "cp1253", "cp1256", "cp437", "mac_roman")
OTHER_SCRIPT = ("cp1251", "cp1253", "cp1256", "cp437")
# every character by which a text damaged in other ways can be told, for a quick look
TELLING = "\u0192\u201a\ufffd縺繧繝郢髮蟄ﾂﾃﾄﾅ窶锛銆鐨鏄浣鍦涓鎴鍒绛璇锟鈥､･"


class Damage(NamedTuple):
    """Where a text is damaged, the encoding that was used and the one that was meant ("": unknown).

    `repaired` is the whole text, and `at` is the place in it. `part` is all that can be read where the whole
    is not known.
    """

    start: int
    wrong: str = ""
    right: str = ""
    repaired: str = ""
    part: str = ""
    at: int = 0


def damage(text: str) -> Damage | None:
    """Return the likeliest damage of a text, None if it looks sound."""
    if text.isascii():
        return None
    for pattern, wrong in ((AS_CP932, "cp932"), (AS_GBK, "gbk")):
        found = pattern.search(text)
        pieces = _of_pieces(text, found.start(), wrong, "utf-8") if found else None
        if pieces and PLAUSIBLE.fullmatch(pieces.repaired or pieces.part):
            return pieces
    may_be = _any_telling().search(text) is not None
    pairs = [one for one in (_of_pairs(text, wrong) for wrong in SINGLE_BYTE if may_be) if one is not None]
    if pairs:
        return max(pairs, key=lambda one: one[0])[1]
    for pattern, wrong, right in ((EUC_AS_CP932, "cp932", "euc_jp"), (SJIS_AS_LATIN, "cp1252", "cp932")):
        found = pattern.search(text)
        if found:
            return _of_pieces(text, found.start(), wrong, right)
    found = C1_QUOTE.search(text)
    if found:
        whole = C1_QUOTE.sub(lambda one: one[0].encode("latin-1").decode("cp1252"), text)
        return Damage(found.start(), "latin-1", "cp1252", whole, at=found.start())
    found = LOST.search(text)
    return Damage(found.start()) if found else None


def repaired(text: str) -> str:
    """Return the text with its damage undone where the way back is known; twice if it was done twice."""
    for _ in range(2):
        found = damage(text)
        if found is None or not found.repaired:
            break
        text = found.repaired
    return text


def name_of(encoding: str) -> str:
    """Return what people call an encoding."""
    return NAMES.get(encoding, encoding)


def _of_pairs(text: str, wrong: str) -> tuple[int, Damage] | None:
    """Return the damage if a text is UTF-8 that was read as `wrong`, after how much it explains."""
    found = _telling(wrong).search(text)
    if found is None:
        return None
    turned, start = _turned_back(text, wrong), found.start()
    if turned == text:
        return None
    latin = wrong == "cp1252" and re.search("[\x80-\x9f]", text) and not re.search("[\u0152-\u2122]", text)
    read = "latin-1" if latin else wrong
    at = len(_turned_back(text[:start], wrong))
    return len(text) - len(turned), Damage(start, read, "utf-8", turned, at=at)


def _of_pieces(text: str, start: int, wrong: str, right: str) -> Damage:
    """Return the damage of a text whose characters had several bytes; all is turned back, or a piece."""
    try:
        whole = text.encode(wrong).decode(right)
    except UnicodeError:
        whole = ""
    part = "" if whole else _longest_piece(text, wrong, right)
    return Damage(start, wrong, right, whole, part)


def _turned_back(text: str, wrong: str) -> str:
    return _pairs(wrong).sub(functools.partial(_turned, wrong=wrong), text)


@functools.cache
def _pairs(wrong: str) -> re.Pattern[str]:
    """Return what finds the passages that may be UTF-8 decoded as `wrong`."""
    return re.compile(f"(?:{_pair(wrong)})+")


@functools.cache
def _telling(wrong: str) -> re.Pattern[str]:
    """Return what finds a passage that is hardly anything but UTF-8 decoded as `wrong`."""
    if wrong == "cp1252":
        return AS_LATIN
    pair, lead, tail = _pair(wrong), _letters(0xC2, 0xE0, wrong), _letters(0x80, 0xC0, wrong)
    if wrong == "mac_roman":
        return re.compile(f"(?<=[A-Za-z])√[{tail}](?=[a-z\\s.,;!?]|$)|‚Ä[ôúùìî]")
    if wrong in OTHER_SCRIPT:
        return re.compile(f"(?:{pair}){{3}}|(?<=[A-Za-z])(?:{pair})")
    return re.compile(f"(?:{pair}){{3}}|(?<=[a-z])[{lead}](?:[{SIGNS}](?=[a-z])|[©®°±¶§¤¦])|ğŸ[^\\s\\w]")


@functools.cache
def _pair(wrong: str) -> str:
    """Return the expression of a character of UTF-8 whose bytes were decoded as `wrong`."""
    tail = _letters(0x80, 0xC0, wrong)
    if wrong == "mac_roman":  # its other lead bytes are quotes and dashes
        return f"[√¬][{tail}]|‚Ä[{tail}]"
    two, three, four = (_letters(*one, wrong) for one in ((0xC2, 0xE0), (0xE0, 0xF0), (0xF0, 0xF5)))
    return f"[{two}][{tail}]|[{three}][{tail}]{{2}}|[{four}][{tail}]{{3}}"


def _letters(first: int, end: int, encoding: str) -> str:
    """Return the characters of the bytes from `first` to before `end`, for a set of an expression."""
    both = [one for byte in range(first, end) for one in (_letter(byte, encoding), chr(byte))]
    named = both if encoding == "cp1252" else both[::2]
    return re.escape("".join(dict.fromkeys(named)))


def _letter(byte: int, encoding: str) -> str:
    return bytes((byte,)).decode(encoding, "ignore") or chr(byte)  # gaps are kept as they are


def _turned(found: re.Match[str], wrong: str) -> str:
    raw = bytes(_byte(one, wrong) for one in found[0])
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return found[0]


def _byte(letter: str, encoding: str) -> int:
    try:
        return letter.encode(encoding)[0]
    except UnicodeEncodeError:
        return ord(letter) & 0xFF


def _longest_piece(text: str, wrong: str, right: str) -> str:
    """Return the longest piece that can be decoded in the right encoding: what was lost divides them."""
    if wrong == "cp1252":  # it leaves five bytes as they are
        pieces = (one.encode("latin-1" if 0x80 <= ord(one) <= 0xFF else wrong, "ignore") for one in text)
        raw = b"".join(pieces)
    else:
        raw = text.encode(wrong, "ignore")
    longest = max(raw.decode(right, "replace").split("\ufffd"), key=len)  # the rest was not damaged before
    kept = "".join(one for one in longest if one.isprintable()).strip()
    return "" if kept == text.strip() else kept


@functools.cache
def telling_signs() -> tuple[str, str]:
    """Return the characters that end the first pair of bytes of any telling passage, and what must be around
    one: a search that begins with the rarer characters is quick in every language.
    """
    spans = ((0xC2, 0xE0), (0xE0, 0xF0), (0xF0, 0xF5), (0x80, 0xC0))
    alphabets = [name for name in SINGLE_BYTE if name != "mac_roman"]
    two, three, four, tail = ("".join(_letters(*span, name) for name in alphabets) for span in spans)
    other = "".join(_letters(0xC2, 0xE0, name) for name in OTHER_SCRIPT)
    around = (
        f"(?<=[A-Za-z][{other}].)|(?<=[A-Za-z][{two}].)(?=[a-z])|(?<=[A-Za-z][{two}][©®°±¶§¤¦])|(?<=[A-Za-z][{three}].)[{tail}]|(?<=[A-Za-z][{four}].)[{tail}]{{2}}"
        f"|(?<=[{two}{three}{four}].)[{tail}]{{0,2}}(?:[{two}{three}{four}][{tail}]{{1,3}}){{2}}"
        f"|(?<=[\xc2-\xdf].)(?:[\xc2-\xdf]|[\xe0-\xef][{LATIN_TAIL}])[{LATIN_TAIL}]"
        f"|(?<=[\xe0-\xef].)[{LATIN_TAIL}](?:[\xc2-\xdf]|[\xe0-\xef][{LATIN_TAIL}])[{LATIN_TAIL}]"
        f"|(?<=[ÃÂ].)|(?<=[ãæçèéä].)[{LATIN_TAIL}]|(?<=â[€\x80]|ð[Ÿ\x9f]|ğŸ|‚Ä)|(?<=[A-Za-z]√)|(?<=ï¿)½"
    )
    return f"{tail}√Ä", around


@functools.cache
def _any_telling() -> re.Pattern[str]:
    signs, around = telling_signs()
    return re.compile(f"[{signs}](?:{around})")
