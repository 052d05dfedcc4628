"""A screen: how wide it is, its colours and its language, and text that fits it.

In a file or pipe there are no escape sequences. East Asian characters take two columns.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TextIO

from ftrun.language import ENGLISH, localized, localized_part, screen_language
from ftrun.text import display_width, visible

NARROWEST = 72  # columns; below that a table would have one word per line
WIDEST = 160
MARKS = {True: "✓", False: "✗", None: "·"}
COLOURS = {True: "green", False: "red", None: "dim"}
STYLES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33}


def write_escaped(stream: TextIO, text: str) -> None:
    """Write text that is translated and whose foreign parts are escaped: its escape sequences are ours."""
    getattr(stream, "write_escaped", stream.write)(text)


class Screen:
    """How wide a stream is, whether it is a terminal and has colours, and in which language it is read."""

    def __init__(self, *, width: int = WIDEST, terminal: bool = False, colour: bool = False) -> None:
        self.width, self.terminal, self.colour = width, terminal, colour
        self.language = screen_language()

    @classmethod
    def of(cls, stream: TextIO) -> Screen:
        """Return the screen behind a stream."""
        terminal = stream.isatty()
        width = min(shutil.get_terminal_size().columns, WIDEST) if terminal else WIDEST
        colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(width=width, terminal=terminal, colour=terminal and colour)

    def say(self, text: str) -> str:
        """Return a message of ours in the reader's language."""
        return localized(text, self.language)

    def word(self, text: str) -> str:
        """Return a word or a short text of ours in the reader's language."""
        return text if self.language == ENGLISH else localized_part(text, self.language)

    def style(self, name: str, text: str) -> str:
        """Return text in a colour, or bold or dim, if the screen has colours."""
        return f"\x1b[{STYLES[name]}m{text}\x1b[0m" if self.colour else text

    def wrapped(self, text: str, start: str = "", more: str = "") -> Iterator[str]:
        """Yield text in lines that fit, the first after `start`, the others after `more`."""
        if not self.terminal:
            yield start + text
            return
        line, width = start, display_width(start)
        for piece in _pieces(text):
            size = display_width(piece)
            if width + display_width(piece.rstrip()) > self.width and line.strip() not in ("", start.strip()):
                yield line.rstrip()
                line, width = more, display_width(more)
            line, width = line + piece, width + size
        yield line.rstrip()


def _pieces(text: str) -> Iterator[str]:
    """Yield what stays together in a line: words with the space after them, wide characters alone."""
    word = ""
    for character in text:
        if display_width(character) == 2:
            yield from filter(None, (word,))
            word = ""
            yield character
            continue
        word += character
        if character == " ":
            yield word
            word = ""
    yield from filter(None, (word,))


def clipped(text: str, columns: int) -> str:
    """Return text on one line of so many columns."""
    line = visible(" ".join(text.split()))
    if display_width(line) <= columns:
        return line
    while display_width(line) > columns - 1:
        line = line[: -max(1, (display_width(line) - columns) // 2)]
    return f"{line}…"


def padded(text: str, width: int) -> str:
    """Return text with spaces after it, of at least so many columns."""
    return text + " " * max(0, width - display_width(text))
