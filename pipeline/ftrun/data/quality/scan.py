"""The scan of rows: a quick test of many together, then the checks of those rows that could have a fault.

Clean rows cost one pass of `bytes.translate` over all of them and, if they are not all ASCII, one of a
regular expression: what is left without the ordinary characters shows which checks could find anything.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ftrun.data.quality.characters import SUSPECTS, damaged, wide_forms
from ftrun.data.quality.pii import exposed
from ftrun.data.quality.placeholders import BRACKETED, blank, may_be_blank, placeholders, spaced
from ftrun.data.quality.remains import html_left, may_have_marks, media_signs, separators, tab_runs
from ftrun.data.quality.subjects import EXCUSABLE, is_excused, prompt_of
from ftrun.data.texts.markup import ENTITY
from ftrun.data.texts.mojibake import AFTER_LATIN, telling_signs
from ftrun.protocol.faults import Fault
from ftrun.protocol.plain_chats import TrainingRow
from ftrun.protocol.texts import Text, contents, texts_of

TextCheck = Callable[[Text], Iterator[Fault]]
# what no check is interested in: lower case, usual punctuation, all bytes of non-ASCII characters
USUAL = b"abcdefghijklmnopqrstuvwxyz \n\t.,;:!?'\"-()/*#|=&~+%_\\^"
ORDINARY = USUAL + bytes(range(128, 256))
BETWEEN_ROWS, ALIKE = "\x1e", "\x1f"  # control characters, so they are in no clean text
MARK = BETWEEN_ROWS.encode()
NAMING = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@"
NO_DIGIT = bytes(byte for byte in range(256) if not 48 <= byte <= 57).replace(MARK, b"")
# digits that are adjacent except for what people write between them
DIGITS = bytes(48 if 48 <= byte <= 57 else min(byte, 32) for byte in range(256))
BETWEEN = b" -().\n"
KEY_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_.=-"
KEYS = bytes(120 if byte in KEY_BYTES else min(byte, 32) for byte in range(256))
SHORTEST_NUMBER, SHORTEST_KEY, FEWEST_DIGITS = b"0" * 7, b"x" * 16, 2
# words as they remain
PLACEHOLDER_WORDS = (b"TODO", b"TBD", b"FIXME", b"XXXX", b"LOREM")
PII_WORDS = (b"@", b"PRIVATEKEY", b"AKIA", b"ASIA")
LETTERS_ONLY = b"hf_"  # the start of keys that may have no digit
FILLER = "orem ipsum"  # with a small l or a large one
# a number or an address in full width: the quick test of bytes doesn't see it
WIDE_NUMBER = re.compile(r"＠|(?:\d\D{0,2}){7}")
# what a text is as a whole, and its ends; may_be_blank lets it through
OUTSIDE: tuple[TextCheck, ...] = (blank, spaced)
# odd characters and words; the first set of _suspicious lets them through
INSIDE: tuple[TextCheck, ...] = (damaged, wide_forms, placeholders, html_left, media_signs, tab_runs)
# addresses, numbers, keys; the second set of _suspicious lets them through
EXPOSED: tuple[TextCheck, ...] = (exposed,)


class Scanner:
    """Finds faults in the texts of single rows, independent of the rows before."""

    def __init__(self) -> None:
        self._clean: str | None = None  # the first text of the last row without a fault

    def scan_all(self, examples: Sequence[TrainingRow]) -> Iterator[tuple[int, Fault]]:
        """Yield the faults in the texts of each row, with its index: at most one of a kind for each text."""
        texts = [one.chat.texts if one.chat else contents(one.example) for one in examples]
        for index, checks in self._checks(texts):
            for fault in _faults(examples[index].example, checks):
                yield index, fault

    def _checks(self, rows: Sequence[list[str]]) -> Iterator[tuple[int, tuple[TextCheck, ...]]]:
        """Yield the checks that could find something in the texts of a row, with its index."""
        # most rows begin with the same system prompt
        unknown = [texts[1:] if texts and texts[0] == self._clean else texts for texts in rows]
        odd, exposed = _suspicious(list(map("\n".join, unknown)))
        clean = None
        for index, texts in enumerate(unknown):
            checks: tuple[TextCheck, ...] = OUTSIDE if may_be_blank(texts) or may_have_marks(texts) else ()
            if index in odd:
                checks += INSIDE
            if index in exposed:
                checks += EXPOSED
            if checks:
                yield index, checks
            elif rows[index]:
                clean = rows[index][0]
        self._clean = clean if clean is not None else self._clean


def _suspicious(joined: Sequence[str]) -> tuple[set[int], set[int]]:
    """Return the rows that may have something odd, and those with an address, a number or a key."""
    text = BETWEEN_ROWS.join(joined)
    if text.count(BETWEEN_ROWS) >= len(joined):  # a text has this character
        joined = [one.replace(BETWEEN_ROWS, ALIKE) for one in joined]
        text = BETWEEN_ROWS.join(joined)
    raw = text.encode("utf-8", "surrogatepass")
    foreign = set(_foreign(text, joined)) if len(raw) != len(text) else set()
    rest = raw.translate(None, ORDINARY)
    odd = foreign.union(_odd_rows(rest))
    if "】" in text or "］" in text:
        odd.update(index for index, one in enumerate(joined) if BRACKETED.search(one))
    if "\t" in text:
        odd.update(index for index, one in enumerate(joined) if "\t" in one)
    if "&" in text and ENTITY.search(text):
        odd.update(index for index, one in enumerate(joined) if ENTITY.search(one))
    if FILLER in text:
        odd.update(index for index, one in enumerate(joined) if FILLER in one)
    wide = {index for index in foreign if WIDE_NUMBER.search(joined[index])}
    return odd, wide.union(_exposed_rows(raw, rest))


@functools.cache
def _suspicious_signs() -> re.Pattern[str]:
    """Return what finds a suspicious character that is not ASCII; it is made when one may be there."""
    signs, around = telling_signs()
    return re.compile(
        f"[{SUSPECTS}{AFTER_LATIN}{signs}](?:(?<=[{SUSPECTS}])|(?<=[a-z][{AFTER_LATIN}])|{around})"
    )


def _foreign(text: str, joined: Sequence[str]) -> Iterator[int]:
    """Yield the rows with a suspicious character that is not ASCII."""
    suspicious = _suspicious_signs()
    starts = list(itertools.accumulate((len(one) + 1 for one in joined), initial=0))
    found = suspicious.search(text)
    while found:
        index = bisect.bisect_right(starts, found.start()) - 1
        yield index
        found = suspicious.search(text, starts[index + 1])


def _faults(row: Mapping[str, Any], checks: tuple[TextCheck, ...]) -> list[Fault]:
    """Return the faults of a row, without those that are none in a row on its subject."""
    texts = texts_of(row)
    found = [(fault, text) for text in texts for check in checks for fault in check(text)]
    marks = list(separators(row))
    if marks:
        found = [one for one in found if one[0].code not in ("outer_space", "placeholder")]
    kept = [
        fault
        for fault, text in found
        if fault.code not in EXCUSABLE or not is_excused(fault, text, prompt_of(texts, text))
    ]
    return [*kept, *marks]


def _odd_rows(rest: bytes) -> Iterator[int]:
    """Yield the rows with brackets, control characters or words of placeholders among what remains."""
    signs = rest.translate(None, NAMING)
    if len(signs) > signs.count(MARK):
        yield from (index for index, one in enumerate(signs.split(MARK)) if one)
    for word in PLACEHOLDER_WORDS:
        yield from _rows_with(word, rest)


def may_expose(raw: bytes) -> bool:
    """Return whether an address, a long number or a key could be in a text."""
    raw = raw.replace(MARK, ALIKE.encode())
    return any(True for _ in _exposed_rows(raw, raw.translate(None, ORDINARY)))


def _exposed_rows(raw: bytes, rest: bytes) -> Iterator[int]:
    """Yield the rows that could have an address, a long number or a key; `rest` is what remains of them."""
    for word in PII_WORDS:
        yield from _rows_with(word, rest)
    yield from _rows_with(LETTERS_ONLY, raw)
    digits = rest.translate(DIGITS, NO_DIGIT)
    if SHORTEST_NUMBER in digits:
        yield from _rows_with(SHORTEST_NUMBER, raw.translate(DIGITS, BETWEEN))
    long = list(_rows_with(SHORTEST_KEY, raw.translate(KEYS)))
    digits_of = digits.split(MARK) if long else ()
    yield from (index for index in long if len(digits_of[index]) >= FEWEST_DIGITS)


def _rows_with(word: bytes, joined: bytes) -> Iterator[int]:
    """Yield the rows that have a word, of the bytes of joined rows."""
    row = start = 0
    found = joined.find(word)
    while found >= 0:
        row += joined.count(MARK, start, found)
        yield row
        start = joined.find(MARK, found)
        found = joined.find(word, start) if start >= 0 else -1
