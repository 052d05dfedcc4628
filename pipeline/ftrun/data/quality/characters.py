"""Damaged and hidden characters: mojibake with what it was, controls, bidi marks, full-width forms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from ftrun.data.quality.pii import excerpt
from ftrun.protocol.faults import Fault
from ftrun.protocol.texts import Text

# every non-ASCII character that some check of this package must look at more closely
SUSPECTS = (
    "\x80-\x9f\u00ad\u00c2\u00c3\u00e2\u00e3\u00ef\u0192\u201a\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069"
    "\ufeff\ufffd\ue000-\uf8ff､０-９Ａ-Ｚａ-ｚ＠〇○◯△×✕＿｛＜縺繧繝郢髮蟄"
)
LOST = re.compile("\ufffd|ï¿½")
# UTF-8 read as cp932: the first bytes of kana become these; two of them are not a coincidence
AS_CP932 = re.compile("[縺繧繝][^\\s]{0,3}[縺繧繝]|郢[ｧ-ﾟァ-ヶ]|髮[\ufffd蟄]")
# UTF-8 read as Latin-1 or Windows-1252: a lead byte and what continuation bytes become there
TAIL = "\x80-\xbf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122"
AS_LATIN = re.compile(f"Ã[{TAIL}]|Â[\xa0-\xbf]|â€[{TAIL}]?|ã[{TAIL}]{{2}}|[æçèéä][{TAIL}]{{2}}")
# cp932 read as Windows-1252: hiragana and katakana begin with these
SJIS_AS_LATIN = re.compile("(?:‚[^\\s\\w'\"]|ƒ[^\\s\\w]|‚[\xa0-\xf1]|ƒ[@-~\x80-\x96]){2}")
# EUC-JP read as cp932: kana become a half-width comma or dot and a kana; but ｱ､ｲ､ｳ､ｴ is a list
EUC_AS_CP932 = re.compile("(?<![ｦ-ﾝ])(?:[､･][｡-ﾟ]){3}")
CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u2028\u2029\u2060-\u2064\ufeff\ue000-\uf8ff]"
)
OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")
MARKS = re.compile("[\u200e\u200f]")
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
WIDE_DIGIT, WIDE_LETTER = re.compile("[０-９]{2,}"), re.compile("[Ａ-Ｚａ-ｚ]{2,}")
# a single full-width digit is usual: ３行目, but 12行目
HALF_DIGIT, HALF_LETTER = re.compile("[0-9]+"), re.compile("[A-Za-z]+")
MOJIBAKE = (  # pattern, what it looks like, and the wrong and the right encoding
    (AS_CP932, "UTF-8 that was read as cp932", "cp932", "utf-8"),
    (AS_LATIN, "UTF-8 that was read as Windows-1252", "cp1252", "utf-8"),
    (EUC_AS_CP932, "EUC-JP that was read as cp932", "cp932", "euc_jp"),
    (SJIS_AS_LATIN, "cp932 that was read as Windows-1252", "cp1252", "cp932"),
    (LOST, "a conversion that lost characters", "", ""),
)


def damaged(text: Text) -> Iterator[Fault]:
    """Yield the damaged and hidden characters of a text, one of each kind."""
    for pattern, kind, wrong, right in () if text.text.isascii() else MOJIBAKE:
        if found := pattern.search(text.text):
            was = original(text.text, wrong, right)
            probably = f"; it probably was {was}" if was else ""
            message = f"{excerpt(text.text, found.start())} looks like {kind}{probably}"
            yield Fault("mojibake", message, text.field)
            break
    at = text.text.find("\r")
    if at >= 0:
        breaks = "CR LF" if text.text[at : at + 2] == "\r\n" else "CR"
        yield Fault("carriage_return", f"a line ends with {breaks} in {excerpt(text.text, at)}", text.field)
    marks = None if RIGHT_TO_LEFT.search(text.text) else MARKS.search(text.text)
    for code, found in (
        ("control_character", CONTROLS.search(text.text)),
        ("bidi_character", OVERRIDES.search(text.text) or marks),
    ):
        if found:
            name = unicodedata.name(found[0], "").lower()
            known = f"U+{ord(found[0]):04X}{f' ({name})' if name else ''}"
            yield Fault(code, f"{known} is in {excerpt(text.text, found.start())}", text.field)


def wide_forms(text: Text) -> Iterator[Fault]:
    """Yield full-width digits or letters in a text that also has half-width ones."""
    for kind, wide, half in (("digits", WIDE_DIGIT, HALF_DIGIT), ("letters", WIDE_LETTER, HALF_LETTER)):
        found = wide.search(text.text)
        other = half.search(text.text) if found else None
        if found and other:
            message = f"the text has full-width {kind} ({found[0]}) and half-width ones ({other[0]})"
            yield Fault("full_width", message, text.field)


def original(text: str, wrong: str, right: str = "utf-8") -> str:
    """Return what a text decoded as `wrong` instead of `right` probably was, empty if that is unknown."""
    if not wrong:
        return ""
    if wrong == "cp1252":  # it leaves five bytes as they are
        pieces = (one.encode("latin-1" if 0x80 <= ord(one) <= 0xFF else wrong, "ignore") for one in text)
        raw = b"".join(pieces)
    else:
        raw = text.encode(wrong, "ignore")
    longest = max(raw.decode(right, "replace").split("\ufffd"), key=len)  # the rest was not damaged before
    kept = "".join(one for one in longest if one.isprintable()).strip()
    return f"“{kept[:30]}”" if kept and kept != text.strip()[:30] else ""
