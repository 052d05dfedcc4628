"""Templates of messages: recognize a finished message, and find the template that fits best."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

PLACEHOLDER = re.compile(r"\{(\w+)\}")
_PART = re.compile(r"(\{\{|\}\}|\{\w+\})")
_WORDS = re.compile(r"\w+")
_FURTHER = re.compile(r"; | \(|, | for | (?=[\"'\[{“])")  # begins what may follow a value directly
_LETTERS = re.compile(r"[A-Za-z]{2,}|\ba\b")
JAPANESE = re.compile(r"[\u3000-\u30ff\u4e00-\u9fff\uff00-\uff60]")
QUOTES = "`'\"“”‘’「」『』"


def unescaped(text: str) -> str:
    """Return the literal text of a template without placeholders."""
    return text.replace("{{", "{").replace("}}", "}")


def tightened(first: str, second: str) -> str:
    """Return two texts in a row, without a space between them where both are Japanese."""
    left, right = first.removesuffix(" "), second.removeprefix(" ")
    return left + right if JAPANESE.match(left[-1:]) and JAPANESE.match(right[:1]) else first + second


def is_recognizable(message: str) -> bool:
    """Return whether a finished message can be told from somebody's text: it has two words of its own."""
    return len(_LETTERS.findall(PLACEHOLDER.sub(" ", message))) >= 2


def alternatives(name: str) -> tuple[str, ...] | None:
    """Return the words that a placeholder such as `s` or `is_or_are` stands for; None: anything."""
    if name == "s":
        return ("", "s")
    return tuple(name.split("_or_", 1)) if "_or_" in name else None


class Template:
    """A message with placeholders."""

    __slots__ = ("__dict__", "literals", "message", "names", "translation", "weight")

    def __init__(self, message: str, translation: str) -> None:
        self.message, self.translation = message, translation
        self.literals: list[str] = [""]
        self.names: list[str] = []
        for part in _PART.split(message):
            if part in ("{{", "}}"):
                self.literals[-1] += part[0]
            elif part.startswith("{") and part.endswith("}") and len(part) > 2:
                self.names.append(part[1:-1])
                self.literals.append("")
            else:
                self.literals[-1] += part
        choices = (alternatives(name) or ("",) for name in self.names)
        self.weight = sum(map(len, self.literals)) + sum(max(map(len, words)) for words in choices)

    def anchor(self) -> str | None:
        """Return the longest word that every message of this template has; None if there is none."""
        found: list[str] = []
        last = len(self.literals) - 1
        for index, literal in enumerate(self.literals):
            for word in _WORDS.finditer(literal):
                open_start = word.start() == 0 and index > 0
                open_end = word.end() == len(literal) and index < last
                if not open_start and not open_end:
                    found.append(word[0])
        return max(found, key=len, default=None)

    @cached_property
    def is_weak(self) -> bool:
        """Return whether it has too few words of its own to be recognized everywhere."""
        return not is_recognizable(self.message)

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        """Return the pattern of a template with choices; the others are matched without one."""
        kinds = [alternatives(name) for name in self.names]
        if not any(kinds):
            return None
        parts = [re.escape(self.literals[0])]
        for kind, literal in zip(kinds, self.literals[1:], strict=True):
            inner = "|".join(map(re.escape, sorted(kind, key=len, reverse=True))) if kind else ".*?"
            parts.append(f"({inner}){re.escape(literal)}")
        return re.compile("".join(parts), re.DOTALL)

    def values(self, text: str) -> list[str] | None:
        """Return what `text` has for the placeholders; None if it isn't of this template."""
        first, last = self.literals[0], self.literals[-1]
        if not text.startswith(first) or not text.endswith(last):
            return None
        if self._pattern is not None:
            found = self._pattern.fullmatch(text)
            return None if found is None else self._divided(list(found.groups()))
        if len(text) < self.weight:
            return None
        place, end, values = len(first), len(text) - len(last), []
        for literal in self.literals[1:-1]:
            next_place = text.find(literal, place, end)
            if next_place < 0:
                return None
            values.append(text[place:next_place])
            place = next_place + len(literal)
        return self._divided([*values, text[place:end]])

    def _divided(self, values: list[str]) -> list[str]:
        """Divide the value of placeholders that follow each other directly: the last one has all of it."""
        for index in range(len(values) - 1):
            together = values[index] == "" == self.literals[index + 1] and not alternatives(self.names[index])
            if together and values[index + 1]:
                cut = _FURTHER.search(values[index + 1], 1)
                place = cut.start() if cut else len(values[index + 1])
                values[index], values[index + 1] = values[index + 1][:place], values[index + 1][place:]
        return values

    def is_quoted(self, index: int, value: str) -> bool:
        """Return whether the placeholder stands between quotes or inside a word: its value is a name then."""
        before, after = self.literals[index][-1:], self.literals[index + 1][:1]
        if value.startswith(" "):
            return False
        joined = after in tuple("/[@#") or (after == "." and self.literals[index + 1][1:2].isalnum())
        return (before != "" and before in QUOTES + "/.[#@") or joined

    def filled(self, values: list[str], given: Sequence[str]) -> str:
        """Return the translation with these values, of which those that differ from the `given` ones were
        translated: there Japanese follows Japanese without a space.
        """
        known = dict(zip(self.names, values, strict=True))
        ours = {name for name, one, it in zip(self.names, values, given, strict=True) if one != it}
        text, tight = "", False
        for part in _PART.split(self.translation):
            name = part[1:-1] if part[:1] == "{" and part not in ("{{", "}}") else None
            piece = part[0] if part in ("{{", "}}") else part if name is None else known.get(name, part)
            text = tightened(text, piece) if tight or name in ours else text + piece
            tight = name in ours
        return text.replace("） ", "）")


class Templates:
    """All templates, found by the longest word that their messages have."""

    def __init__(self, templates: Iterator[Template]) -> None:
        self._by_word: dict[str | None, list[Template]] = {}
        for one in templates:
            self._by_word.setdefault(one.anchor(), []).append(one)

    def match(
        self, text: str, accept: Callable[[Template, list[str]], bool] = lambda *_: True
    ) -> tuple[Template, list[str]] | None:
        """Return the template with the most text of its own that fits and is accepted, and its values."""
        best: tuple[Template, list[str]] | None = None
        for word in (*{*_WORDS.findall(text)}, None):
            for one in self._by_word.get(word, ()):
                if best is not None and not _better(one, best[0]):
                    continue
                values = one.values(text)
                if values is not None and accept(one, values):
                    best = one, values
        return best


def _better(one: Template, other: Template) -> bool:
    """Return whether a template says more by itself; of equals the last in the alphabet."""
    return (one.weight, -len(one.names), one.message) > (other.weight, -len(other.names), other.message)
