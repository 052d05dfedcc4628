"""The text of an answer, token by token: whole characters only, and nothing that may become a stop text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BROKEN = "\ufffd"  # how a tokenizer writes bytes that are not a whole character yet


class AnswerText:
    """Turns tokens into text that is certain; `stopped` is true once a stop text has come."""

    def __init__(self, tokenizer: Any, stop: Sequence[str] = ()) -> None:
        """Use a tokenizer of Transformers."""
        self.stopped = False
        self.decoded = 0  # characters that are known, returned or not
        self._tokenizer, self._stop = tokenizer, stop
        # a tokenizer may write a token differently at the start of a text (without its space), so a window
        # of two parts is decoded: tokens whose text is known, and those after them
        self._known: list[int] = []
        self._known_text = ""
        self._new: list[int] = []
        self._held = ""  # may become a stop text

    def add(self, token: int) -> str:
        """Return the text that has become certain with `token`, often nothing."""
        self._new.append(token)
        text = self._decode(self._known + self._new)
        if text.endswith(BROKEN):
            return ""
        more = text[len(self._known_text) :]
        if more:  # not for a special token: the window must begin with text
            self._known, self._new = self._new, []
            self._known_text = self._decode(self._known)
        return self._certain(more)

    def end(self) -> str:
        """Return the rest, with an incomplete character as the replacement character."""
        more = self._decode(self._known + self._new)[len(self._known_text) :]
        return self._certain(more) + self._held

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def _certain(self, more: str) -> str:
        self.decoded += len(more)
        text = self._held + more
        end = min((text.index(word) for word in self._stop if word in text), default=None)
        if end is not None:
            self.stopped, self._held = True, ""
            return text[:end]
        certain = len(text) - _held_back(text, self._stop)
        self._held = text[certain:]
        return text[:certain]


def _held_back(text: str, stop: Sequence[str]) -> int:
    """Return how many characters at the end of `text` may be the start of a stop text."""
    return max(
        (
            size
            for word in stop
            for size in range(1, min(len(word), len(text) + 1))
            if text.endswith(word[:size])
        ),
        default=0,
    )
