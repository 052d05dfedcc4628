"""Owns the scan of one row: a few quick looks at all its texts together, and close ones where those tell.

A clean row costs one pass of `bytes.translate` and, where it is not all ASCII, one of a regular expression:
what remains after every ordinary character is deleted says which checks could find anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ftrun.data.content.texts import Text, contents, texts_of
from ftrun.data.faults import Fault

Look = Callable[[Text], Iterator[Fault]]
# what no check is interested in: lower case, usual punctuation, and all bytes of other than ASCII characters
USUAL = b"abcdefghijklmnopqrstuvwxyz \n\t.,;:!?'\"-()/*#|=&~+%_\\^"
ORDINARY = USUAL + bytes(range(128, 256))
ASCII = bytes(range(128))
NAMING = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@"
NOT_DIGITS = bytes(byte for byte in range(256) if not 48 <= byte <= 57)
# digits that stand together but for what people write between them
DIGITS = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))
BETWEEN = b" -().\n"
KEY_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_.=-"
KEYS = bytes(120 if byte in KEY_BYTES else 32 for byte in range(256))
SHORTEST_NUMBER, SHORTEST_KEY = b"0" * 7, b"x" * 16
LEFT = (b"TODO", b"TBD", b"FIXME", b"XXXX", b"L")  # as they remain; L: Lorem


class Scanner:
    """Finds what is wrong with the texts of single rows, whatever rows came before."""

    def __init__(self) -> None:
        from ftrun.data.content.characters import SUSPECTS, damaged, wide_forms
        from ftrun.data.content.leftovers import BRACKETED, blank, left_over, needs_look, spaced
        from ftrun.data.content.pii import exposed

        self._suspect = re.compile(f"[{SUSPECTS}]").search
        self._bracketed = BRACKETED.search
        self._needs_look = needs_look
        self._outside: tuple[Look, ...] = (blank, spaced)
        self._inside: tuple[Look, ...] = (damaged, wide_forms, left_over)
        self._exposed: tuple[Look, ...] = (exposed,)
        self._clean: str | None = None  # the text that the last flawless row began with

    def scan(self, row: Mapping[str, Any]) -> list[Fault]:
        """Return what is wrong with the texts of a row: at most one fault of a kind for each of them."""
        looks = self._looks(contents(row))
        if not looks:
            return []
        texts = list(texts_of(row))
        found = [fault for text in texts for look in looks for fault in look(text)]
        if any(fault.code == "blank_answer" for fault in found):
            return list(_without_values(found, texts))
        return found

    def _looks(self, texts: list[str]) -> tuple[Look, ...]:
        """Return the checks that could find something."""
        if texts and texts[0] == self._clean:  # the system prompt that most rows begin with
            return self._tell(texts[1:])
        looks = self._tell(texts)
        if texts and not looks:
            self._clean = texts[0]
        return looks

    def _tell(self, texts: list[str]) -> tuple[Look, ...]:
        looks: tuple[Look, ...] = ()
        for text in texts:
            if self._needs_look(text):
                looks = self._outside
                break
        joined = "\n".join(texts)
        raw = joined.encode("utf-8", "surrogatepass")
        rest = raw.translate(None, ORDINARY)
        suspect = len(raw) != len(joined) and self._suspect(_foreign(raw, joined)) is not None
        bracketed = ("】" in joined or "］" in joined) and self._bracketed(joined)
        if suspect or bracketed or (rest and _is_odd(rest)):
            looks += self._inside
        if suspect or (rest and may_expose(raw, rest)):
            looks += self._exposed
        return looks


def _without_values(found: list[Fault], texts: list[Text]) -> Iterator[Fault]:
    """Yield the faults but those of answers that say by a word that there is none, as they were asked to."""
    from ftrun.data.content.leftovers import is_value

    prompt = "\n".join(text.text for text in texts if text.role != "assistant")
    said = {text.field: text.text for text in texts}
    for fault in found:
        if fault.code != "blank_answer" or not is_value(said[fault.field], prompt):
            yield fault


def _foreign(raw: bytes, joined: str) -> str:
    """Return a text that has all the non-ASCII characters of `joined`, and few others where they are few."""
    if len(raw) > len(joined) + len(joined) // 2:
        return joined
    return raw.translate(None, ASCII).decode("utf-8", "surrogatepass")


def _is_odd(rest: bytes) -> bool:
    """Tell whether brackets, control characters or words of placeholders are among what remains."""
    return bool(rest.translate(None, NAMING)) or any(word in rest for word in LEFT)


def may_expose(raw: bytes, rest: bytes) -> bool:
    """Tell whether an address, a long number or a key could stand in a row."""
    if b"@" in rest or b"PRIVATEKEY" in rest or b"AKIA" in rest or b"ASIA" in rest:
        return True
    digits = len(rest.translate(None, NOT_DIGITS))
    if digits >= len(SHORTEST_NUMBER) and SHORTEST_NUMBER in raw.translate(DIGITS, BETWEEN):
        return True
    return digits >= 2 and SHORTEST_KEY in raw.translate(KEYS)
