"""Help in the language of the screen: click's usage, headings, options and paragraphs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import click

from ftrun.language import ENGLISH, begun, localized, phrase, screen_language, verbatim
from ftrun.text import display_width


class LocalizedHelp(click.HelpFormatter):
    """Writes help as click does; lines of a language without spaces are broken between any two characters."""

    def __init__(
        self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None
    ) -> None:
        super().__init__(indent_increment, width, max_width)
        self._language = screen_language()

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write `Usage: ftrun …`."""
        super().write_usage(prog, args, prefix or f"{phrase('Usage', self._language)}: ")

    def write_heading(self, heading: str) -> None:
        """Write the heading of a section."""
        super().write_heading(phrase(heading, self._language))

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        if self._language == ENGLISH:
            return super().write_text(text)
        paragraphs = text.split("\n\n")
        for index, paragraph in enumerate(paragraphs):
            if index:
                self.write_paragraph()
            if paragraph.startswith("\b"):
                for line in paragraph.splitlines()[1:]:
                    self.write(f"{'':>{self.current_indent}}{self._translated(line)}\n")
                continue
            room = max(20, self.width - self.current_indent)
            for line in wrapped(self._translated(" ".join(paragraph.split())), room):
                self.write(f"{'':>{self.current_indent}}{line}\n")
        return None

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write options or commands with their help."""
        if self._language == ENGLISH:
            return super().write_dl(rows, col_max, col_spacing)
        rows = list(rows)
        column = min(max((display_width(name) for name, _ in rows), default=0), col_max) + col_spacing
        for name, text in rows:
            start = f"{'':>{self.current_indent}}{name}"
            lines = wrapped(self._described(text), max(20, self.width - self.current_indent - column))
            if display_width(name) > column - col_spacing or not lines:
                self.write(f"{start}\n")
            else:
                self.write(f"{start}{'':>{column - display_width(name)}}{lines.pop(0)}\n")
            for line in lines:
                self.write(f"{'':>{self.current_indent + column}}{line}\n")
        return None

    def getvalue(self) -> str:
        """Return the text; names of commands that are words too, such as `data`, stay as they are."""
        return verbatim(super().getvalue())

    def _described(self, text: str) -> str:
        """Return an option's help translated, with what click adds to it: `[default: 20; x>=0]`."""
        text, bracket, added = text.partition("  [")
        parts = [one.removesuffix("]").partition("default: ") for one in added.split("; ")] if bracket else []
        words = [f"{self._word('default')}: {one[2]}" if one[1] else self._word(one[0]) for one in parts]
        return self._translated(text) + (f" [{'; '.join(words)}]" if bracket else "")

    def _word(self, word: str) -> str:
        return phrase(word, self._language)

    def _translated(self, text: str) -> str:
        return localized(begun(text, self._language), self._language)


def wrapped(text: str, room: int) -> list[str]:
    """Return text in lines of at most `room` columns, broken at spaces or between two wide characters."""
    if all(display_width(one) < 2 for one in text):
        return textwrap.wrap(text, room)
    lines, line = [], ""
    for piece in _pieces(text):
        if line and display_width(line + piece.rstrip()) > room and piece[0] not in "、。）」』：；":
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()] if line.strip() else lines


def _pieces(text: str) -> list[str]:
    """Return the pieces between which a line may be broken: words with their space, wide characters."""
    pieces: list[str] = []
    for character in text:
        joins = pieces and display_width(character) < 2 and not pieces[-1].endswith(" ")
        if joins and display_width(pieces[-1][-1]) < 2:
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces
