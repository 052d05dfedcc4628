"""Damaged and hidden characters: mojibake with what it was, controls, bidi marks, full-width forms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from ftrun.data.quality.pii import excerpt
from ftrun.data.texts.mojibake import TELLING, Damage, damage, name_of, repaired
from ftrun.protocol.faults import Fault
from ftrun.protocol.texts import Text

# every non-ASCII character that some check of this package must look at more closely
SUSPECTS = (
    f"{TELLING}\x80-\x9f\u00ad\u2212\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ue000-\uf8ff"
    "０-９Ａ-Ｚａ-ｚ＠〇○◯△×✕＿｛＜－"
)
CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u2028\u2029\u2060-\u2064\ufeff\ue000-\uf8ff]"
)
OVERRIDES, EMBEDDINGS = re.compile("[\u202d\u202e]"), re.compile("[\u202a-\u202e\u2066-\u2069]")
MARKS = re.compile("[\u200e\u200f]")
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# scripts without spaces between words, where an invisible one says where a line may end
UNSPACED = re.compile(
    "(?<=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])\u200b|\u200b(?=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])"
)
WIDE_DIGIT, HALF_DIGIT = re.compile("[０-９]{2,}"), re.compile("[0-9]+")
# a single full-width digit is usual: ３行目, but 12行目; names and laughter are: ＮＨＫ, ｗｗｗ
WIDE_LETTER, HALF_LETTER = re.compile("[Ａ-Ｚａ-ｚ]{2,}"), re.compile("[A-Za-z]+")
WIDE_CODE, HALF_CODE = (
    re.compile("[Ａ-Ｚａ-ｚ]{2,}[－‐]?[０-９]+"),
    re.compile("(?<![A-Za-z])[A-Za-z]+-?[0-9]+"),
)
AROUND, LONGEST = 24, 72  # characters of the passage that shows what a damaged text was


def damaged(text: Text) -> Iterator[Fault]:
    """Yield the damaged and hidden characters of a text, one of each kind."""
    found, sound = damage(text.text), text.text
    if found is not None:
        known = f"{found.wrong} {'lost' if damage(repaired(text.text)) else 'repaired'}"  # for the tip
        yield Fault("mojibake", _looks_like(text.text, found), text.field, known)
        sound = found.repaired or sound  # what the damage made of a character is not hidden in the text
    at = text.text.find("\r")
    if at >= 0:
        breaks = "CR LF" if text.text[at : at + 2] == "\r\n" else "CR"
        yield Fault("carriage_return", f"a line ends with {breaks} in {excerpt(text.text, at)}", text.field)
    for code, odd in (("control_character", _hidden(sound)), ("bidi_character", _direction(sound))):
        if odd:
            name = unicodedata.name(odd[0], "").lower()
            known = f"U+{ord(odd[0]):04X}{f' ({name})' if name else ''}"
            yield Fault(code, f"{known} is in {excerpt(sound, odd.start())}", text.field)


def _looks_like(text: str, found: Damage) -> str:
    """Return what a damaged passage looks like, and how it reads once it is repaired."""
    shown, right, wrong = excerpt(text, found.start), name_of(found.right), name_of(found.wrong)
    if not found.wrong:
        return f"{shown} looks like a conversion that lost characters"
    if found.repaired:
        was = excerpt(found.repaired, found.at, around=AROUND, longest=LONGEST)
        return f"{shown} looks like {right} that was read as {wrong}; it probably was {was}"
    if found.part:
        return f"{shown} looks like {right} that was read as {wrong}; it probably was {excerpt(found.part)}"
    return f"{shown} looks like {right} that was read as {wrong}"


def without_hidden(text: str) -> str:
    """Return a text without the characters that nobody sees, except where they do something for it."""
    unseen = RIGHT_TO_LEFT.search(text) is not None
    kept = CONTROLS.sub(lambda found: found[0] if _parts_words(text, found) else "", text)
    return OVERRIDES.sub("", kept) if unseen else EMBEDDINGS.sub("", MARKS.sub("", kept))


def _parts_words(text: str, found: re.Match[str]) -> bool:
    """Return whether a character that was found is a space that some scripts don't show."""
    return found[0] == "\u200b" and UNSPACED.match(text, found.start()) is not None


def _hidden(text: str) -> re.Match[str] | None:
    """Return the first control character that does nothing for the text."""
    return next((one for one in CONTROLS.finditer(text) if not _parts_words(text, one)), None)


def _direction(text: str) -> re.Match[str] | None:
    """Return the first character that only sets a direction: in right-to-left text few are suspicious."""
    if RIGHT_TO_LEFT.search(text):
        return OVERRIDES.search(text)
    return EMBEDDINGS.search(text) or MARKS.search(text)


def wide_forms(text: Text) -> Iterator[Fault]:
    """Yield full-width digits, words or codes in a text that also has such in half width."""
    wide = WIDE_DIGIT.search(text.text)
    half = HALF_DIGIT.search(text.text) if wide else None
    if wide and half:
        yield _both_widths("digits", wide[0], half[0], text.field)
    pair = _same_word(text.text) or _codes(text.text)
    if pair:
        yield _both_widths("letters", *pair, text.field)


def _both_widths(kind: str, wide: str, half: str, field: str) -> Fault:
    message = f"the text has full-width {kind} ({wide}) and half-width ones ({half})"
    return Fault("full_width", message, field)


def _same_word(text: str) -> tuple[str, str] | None:
    """Return a word that a text has in both widths."""
    words = {one[0].casefold(): one[0] for one in HALF_LETTER.finditer(text)}
    for wide in WIDE_LETTER.finditer(text):
        half = words.get(unicodedata.normalize("NFKC", wide[0]).casefold())
        if half:
            return wide[0], half
    return None


def _codes(text: str) -> tuple[str, str] | None:
    """Return codes of letters and digits of both widths."""
    wide = WIDE_CODE.search(text)
    half = HALF_CODE.search(text) if wide else None
    return (wide[0], half[0]) if wide and half else None
