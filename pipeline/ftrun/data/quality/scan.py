"""The scan of rows: a few quick looks at many together, and close ones at those where they tell.

Clean rows cost one pass of `bytes.translate` over all of them and, where they are not all ASCII, one of a
regular expression: what remains after every ordinary character is deleted says which checks could find
anything.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ftrun.protocol.chat import TrainingRow
from ftrun.protocol.faults import Fault
from ftrun.protocol.texts import Text, contents, texts_of

Look = Callable[[Text], Iterator[Fault]]
# what no check is interested in: lower case, usual punctuation, and all bytes of other than ASCII characters
USUAL = b"abcdefghijklmnopqrstuvwxyz \n\t.,;:!?'\"-()/*#|=&~+%_\\^"
ORDINARY = USUAL + bytes(range(128, 256))
BETWEEN_ROWS, ALIKE = "\x1e", "\x1f"  # control characters, so they are in no clean text
MARK = BETWEEN_ROWS.encode()
ASCII = bytes(range(128)).replace(MARK, b"")
NAMING = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@"
NO_DIGIT = bytes(byte for byte in range(256) if not 48 <= byte <= 57).replace(MARK, b"")
# digits that stand together but for what people write between them
DIGITS = bytes(48 if 48 <= byte <= 57 else min(byte, 32) for byte in range(256))
BETWEEN = b" -().\n"
KEY_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_.=-"
KEYS = bytes(120 if byte in KEY_BYTES else min(byte, 32) for byte in range(256))
SHORTEST_NUMBER, SHORTEST_KEY, FEWEST_DIGITS = b"0" * 7, b"x" * 16, 2
# words as they remain
LEFT = (b"TODO", b"TBD", b"FIXME", b"XXXX", b"LOREM")
TELLING = (b"@", b"PRIVATEKEY", b"AKIA", b"ASIA")
LETTERS_ALONE = b"hf_"  # what keys begin with that need not have a digit
FILLER = "orem ipsum"  # with a small l or a large one


class Scanner:
    """Finds what is wrong with the texts of single rows, whatever rows came before."""

    def __init__(self) -> None:
        from ftrun.data.quality.characters import SUSPECTS, damaged, wide_forms
        from ftrun.data.quality.pii import exposed
        from ftrun.data.quality.placeholders import BRACKETED, blank, left_over, need_look, spaced

        self._suspect = re.compile(f"[{SUSPECTS}]").search
        self._bracketed = BRACKETED.search
        self._need_look = need_look
        self._outside: tuple[Look, ...] = (blank, spaced)
        self._inside: tuple[Look, ...] = (damaged, wide_forms, left_over)
        self._exposed: tuple[Look, ...] = (exposed,)
        self._clean: str | None = None  # the text that the last flawless row began with

    def scan_all(self, examples: Sequence[TrainingRow]) -> Iterator[tuple[int, Fault]]:
        """Yield what is wrong with the texts of each row, with its index."""
        texts = [one.chat.texts if one.chat else contents(one.example) for one in examples]
        for index, looks in self._looks(texts):
            for fault in _faults(examples[index].example, looks):
                yield index, fault

    def scan(self, row: Mapping[str, Any]) -> list[Fault]:
        """Return what is wrong with the texts of a row: at most one fault of a kind for each of them."""
        return [fault for _, looks in self._looks([contents(row)]) for fault in _faults(row, looks)]

    def _looks(self, rows: Sequence[list[str]]) -> Iterator[tuple[int, tuple[Look, ...]]]:
        """Yield the checks that could find something in the texts of a row, with its index."""
        # most rows begin with the same system prompt
        unknown = [texts[1:] if texts and texts[0] == self._clean else texts for texts in rows]
        joined = list(map("\n".join, unknown))
        odd, exposed = self._suspicious(joined)
        clean = None
        for index, texts in enumerate(unknown):
            looks: tuple[Look, ...] = self._outside if self._need_look(texts) else ()
            if index in odd:
                looks += self._inside
            if index in exposed:
                looks += self._exposed
            if looks:
                yield index, looks
            elif rows[index]:
                clean = rows[index][0]
        self._clean = clean if clean is not None else self._clean

    def _suspicious(self, joined: Sequence[str]) -> tuple[set[int], set[int]]:
        """Return in which rows something odd could stand, and in which an address, a number or a key."""
        text = BETWEEN_ROWS.join(joined)
        if text.count(BETWEEN_ROWS) >= len(joined):  # a text has this character: its like does as well there
            joined = [one.replace(BETWEEN_ROWS, ALIKE) for one in joined]
            text = BETWEEN_ROWS.join(joined)
        raw = text.encode("utf-8", "surrogatepass")
        foreign = set(self._foreign(raw, text, joined)) if len(raw) != len(text) else set()
        rest = raw.translate(None, ORDINARY)
        odd = foreign.union(_odd_rows(rest))
        if "】" in text or "］" in text:
            odd.update(index for index, one in enumerate(joined) if self._bracketed(one))
        if FILLER in text:
            odd.update(index for index, one in enumerate(joined) if FILLER in one)
        return odd, foreign.union(_exposed_rows(raw, rest))

    def _foreign(self, raw: bytes, text: str, joined: Sequence[str]) -> Iterator[int]:
        """Yield the rows with a suspicious character that is not ASCII."""
        if len(raw) <= len(text) + len(text) // 2:  # few are not ASCII: the others are left out quickly
            text = raw.translate(None, ASCII).decode("utf-8", "surrogatepass")
            joined = text.split(BETWEEN_ROWS) if len(joined) > 1 else (text,)
        starts = list(itertools.accumulate((len(one) + 1 for one in joined), initial=0))
        found = self._suspect(text)
        while found:
            index = bisect.bisect_right(starts, found.start()) - 1
            yield index
            found = self._suspect(text, starts[index + 1])


def _faults(row: Mapping[str, Any], looks: tuple[Look, ...]) -> list[Fault]:
    texts = texts_of(row)
    found = [fault for text in texts for look in looks for fault in look(text)]
    if any(fault.code == "blank_answer" for fault in found):
        return list(_without_values(found, texts))
    return found


def _without_values(found: list[Fault], texts: list[Text]) -> Iterator[Fault]:
    """Yield the faults but those of answers that say by a word that there is none, as they were asked to."""
    from ftrun.data.quality.placeholders import is_value

    prompt = "\n".join(text.text for text in texts if text.role != "assistant")
    said = {text.field: text.text for text in texts}
    for fault in found:
        if fault.code != "blank_answer" or not is_value(said[fault.field], prompt):
            yield fault


def _odd_rows(rest: bytes) -> Iterator[int]:
    """Yield the rows with brackets, control characters or words of placeholders among what remains."""
    signs = rest.translate(None, NAMING)
    if len(signs) > signs.count(MARK):
        yield from (index for index, one in enumerate(signs.split(MARK)) if one)
    for word in LEFT:
        yield from _rows_with(word, rest)


def may_expose(raw: bytes) -> bool:
    """Return whether an address, a long number or a key could stand in a text."""
    raw = raw.replace(MARK, ALIKE.encode())
    return any(True for _ in _exposed_rows(raw, raw.translate(None, ORDINARY)))


def _exposed_rows(raw: bytes, rest: bytes) -> Iterator[int]:
    """Yield the rows in which an address, a long number or a key could stand; `rest` remains of them."""
    for word in TELLING:
        yield from _rows_with(word, rest)
    yield from _rows_with(LETTERS_ALONE, raw)
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
