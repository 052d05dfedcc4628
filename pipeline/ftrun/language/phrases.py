"""Translate what is printed: a message, or a line made of labels, places, cells and messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce

from ftrun.language.catalogue import WORD, catalogue, entries
from ftrun.language.templates import (
    JAPANESE,
    PLACEHOLDER,
    QUOTES,
    Template,
    Templates,
    is_recognizable,
    tightened,
    unescaped,
)
from ftrun.text import display_width

LONGEST = 20_000  # characters: what is longer is data
JSON = ("{", '"', "[{", '["')  # begins JSON
DEEPEST = 6  # messages in messages
SURE = 10  # characters: a whole line with less text of our own may be somebody's sentence
_WIDE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_SPACE = re.compile(r"^(\s*)(.*?)(\s*)$", re.DOTALL)
_COUNT = re.compile(r"^([\d,.]+) ([A-Za-z][A-Za-z -]*?)(s?)$")
_QUESTION = re.compile(r"^(.*\S)( \[[yYnN]/[yYnN]\]:?)$", re.DOTALL)
_LABEL = re.compile(r"^([A-Za-z][a-z]+|ERROR|Error): (.+)$", re.DOTALL)
_MARK = re.compile(r"^([^\w\s`'\"“(\[{<$@/.,;:-]|[-*#>]+)(\s+)(.+)$", re.DOTALL)
_PLACE = re.compile(r"^(\S.*?(?::\d+(?::\d+)?|\.\w{1,8}))(: )(.+)$", re.DOTALL)
_NUMBER = re.compile(r"^([A-Za-z][a-z ]*[a-z]) ([\d.,%–]+)$")
_CODE = re.compile(r"^(.+\S) (\[[a-z_]+\])$", re.DOTALL)
_DESCRIBED = re.compile(r"^(.+)\. Expected: (.+)\.$", re.DOTALL)
_KEY = re.compile(r"^(\w[^\s:]*(?: [^\s:]+)?)(: )(.+)$", re.DOTALL)  # or the name of a column
_REST = re.compile(r"^(.+\S) \(((?:in|at|for) [^()]+|[a-z][^()]+)\)$", re.DOTALL)
_FOLLOWS = re.compile(r"(?=, |; | \(|: |\. )")
_IN_BRACKETS = re.compile(r"^\((.+)\)$")
_SENTENCE = re.compile(r"(?<=[.?!:]) +(?=[A-Z`'\"“\[(])")
_ENDS_QUOTED = re.compile(r"”(?:; | and )[a-z]")
_NAME = r"(?:`[^`]*`|'[^']*'|\"[^\"]*\"|“[^”]*”|‘[^’]*’)"
_QUOTED = re.compile(rf"{_NAME}(?:(?:,| and| or) {_NAME})*(?:, …)?", re.DOTALL)
_BETWEEN_NAMES = re.compile(r"(?<=[`'\"] )(?:and|or)(?= [`'\"])")
_ALSO = re.compile(r"^(.*)(; also at [^;“”\[]+)$", re.DOTALL)  # ends what was found at several places
_CELLS = re.compile(r"( {2,}|\t)")
_SEPARATORS = (" · ", "; ", ": ", ", ", " and ")
# placeholders for names of columns, models, keys and the like, which others have given
NAMES = (
    "name",
    "names",
    "column",
    "columns",
    "known",
    "map",
    "model",
    "target",
    "experiment",
    "candidate",
    "key",
)
NUMBERS = ("n", "number", "rows", "len", "count", "passed", "judged")  # placeholders that stand for numbers
LONG = 24  # characters: a template with more of its own may begin with any value


class Phrases:
    """The phrases of a language."""

    def __init__(self, found: list[tuple[str, str, str]]) -> None:
        self._words = {message: translation for context, message, translation in found if context == WORD}
        self._messages = {message: translation for context, message, translation in found if context != WORD}
        self._exact = {
            unescaped(one): unescaped(other) for one, other in self._messages.items() if is_recognizable(one)
        }
        self._templates = Templates(
            Template(*pair) for pair in self._messages.items() if PLACEHOLDER.search(pair[0])
        )

    @classmethod
    def load(cls, language: str) -> Phrases:
        """Return the phrases of a language's catalogue."""
        return cls([one for one in entries(catalogue(language)) if one[2]])

    def template(self, message: str) -> str:
        """Return the translation of a message with its placeholders in it."""
        return self._messages.get(message) or self._exact.get(message) or self._words.get(message) or message

    def shown(self, text: str) -> str:
        """Return printed text in this language: whole, or line by line."""
        if len(text) > LONGEST or not text.strip() or text.lstrip().startswith(JSON):
            return text
        start, core, end = _spaces(text)
        whole = self._message(core, 0, only_begun=True)
        if whole is not None:
            return f"{start}{whole}{end}"
        return "".join(self._line(line) for line in text.splitlines(keepends=True))

    def begun(self, text: str) -> str:
        """Return the message that begins as this one, which was cut, does."""
        start = text.removesuffix("...")
        if text in self._exact or len(start) < LONG:
            return text
        return next((one for one in self._exact if one.startswith(start)), text)

    def part(self, text: str) -> str:
        """Return a part of a text of our own, such as a cell: a word, a number with its noun, a message."""
        return self._value(text, 1)

    def _line(self, line: str) -> str:
        start, core, end = _spaces(line)
        label = self._word(core) if core.endswith(":") else None
        return f"{start}{label or self._part(core, 0) or core}{end}"

    def _message(self, text: str, depth: int, *, only_begun: bool = False) -> str | None:
        """Return the translation of a whole message; None if no template knows it.

        `only_begun`: of a template that begins with text of its own, not with a value.
        """
        exact = self._exact.get(text) or self._counted(text)
        if exact is not None:
            return exact
        also = _ALSO.match(text)
        if also is not None and also[1]:
            return f"{self._part(also[1], depth + 1) or also[1]}{self._message(also[2], depth)}"
        found = self._templates.match(
            text, lambda one, values: _is_sure(one, values, depth, only_begun=only_begun)
        )
        if found is None:
            return None
        template, values = found
        if any(_SENTENCE.search(value) for value in values):  # sentences after it, taken for its end
            apart = self._each_sentence(text, depth)
            if apart is not None:
                return apart
        if any(_ENDS_QUOTED.search(value) for value in values):  # so are further messages
            apart = self._separated(text, depth)
            if apart is not None:
                return apart
        shown = [
            value
            if template.is_quoted(index, value) or _is_name(template.names[index], value)
            else self._value(value, depth + 1)
            for index, value in enumerate(values)
        ]
        return template.filled(shown, values)

    def _counted(self, text: str) -> str | None:
        """Return the translation of a number with its noun, such as `3 rows`."""
        found = _COUNT.match(text)
        if found is None:
            return None
        known = self._messages.get(f"{{n}} {found[2]}{{s}}")
        noun = self._words.get(found[2]) or self._words.get(f"{found[2]}s")
        if known is None and noun is not None:
            known = f"{noun} {{n}} 件"
        return None if known is None else known.replace("{n}", found[1])

    def _value(self, value: str, depth: int) -> str:
        """Return the value of a placeholder: a message, a word, a number with its noun, or a name."""
        start, core, end = _spaces(value)
        if _QUOTED.fullmatch(core):  # names; between them a word of ours
            return _BETWEEN_NAMES.sub(lambda found: self._words.get(found[0], found[0]), value)
        if not core or depth > DEEPEST or _WIDE.search(core[:1]):
            return value
        done = self._word(core) or self._part(core, depth)
        if done is None:
            return value
        if start == " " and JAPANESE.match(done):  # which needs no space between two phrases
            start = ""
        return f"{start}{done}{end}"

    def _word(self, text: str) -> str | None:
        if text.endswith(":") and text[:-1] in self._words:
            return f"{self._words[text[:-1]]}:"
        return self._words.get(text)

    def _part(self, text: str, depth: int) -> str | None:
        """Return text in this language as far as it is known; None if nothing of it is."""
        if depth > DEEPEST or not text:
            return None
        described = _DESCRIBED.match(text)
        if described:  # by the schema, in English
            inner = self._part(described[1], depth + 1)
            return None if inner is None else f"{inner}（{described[2]}）"
        done = self._message(text, depth, only_begun=True)
        if done is not None:
            return done
        for split in (
            self._each_sentence,
            self._framed,
            self._message,
            self._cells,
            self._explained,
            self._followed,
            self._sentences,
            self._separated,
            self._glued,
        ):
            done = split(text, depth)
            if done is not None:
                return done
        return None

    def _framed(self, text: str, depth: int) -> str | None:
        """Translate what has a label, a mark, a place or brackets around it."""
        question = _QUESTION.match(text)
        if question:
            inner = self._part(question[1], depth + 1)
            return None if inner is None else f"{inner}{question[2]}"
        label = _LABEL.match(text)
        if label and label[1] in self._words:
            return f"{self._words[label[1]]}: {self._part(label[2], depth + 1) or label[2]}"
        code = _CODE.match(text)
        if code:
            inner = self._part(code[1], depth + 1)
            return None if inner is None else f"{inner} {code[2]}"
        for pattern in (_MARK, _PLACE, _KEY):
            found = pattern.match(text)
            inner = self._part(found[3], depth + 1) if found else None
            if found and inner is not None:
                return f"{found[1]}{found[2]}{inner}"
        brackets = _IN_BRACKETS.match(text)
        inner = self._part(brackets[1], depth + 1) if brackets else None
        return None if inner is None else f"（{inner}）"

    def _explained(self, text: str, depth: int) -> str | None:
        """Translate what has an explanation in brackets behind it."""
        rest = _REST.match(text)
        first = self._part(rest[1], depth + 1) if rest else None
        return f"{first}（{self._value(rest[2], depth + 1)}）" if rest and first is not None else None

    def _cells(self, text: str, depth: int) -> str | None:
        """Translate the cells of a line whose columns are set apart by spaces; the columns stay aligned."""
        parts = _CELLS.split(text)
        if len(parts) == 1:
            return None
        cells, spaces = parts[::2], [*parts[1::2], ""]
        shown = [self._word(cell) or self._part(cell, depth + 1) or cell for cell in cells]
        if shown == cells:
            return None
        return "".join(map(_padded, cells, shown, spaces))

    def _sentences(self, text: str, depth: int) -> str | None:
        """Translate a text sentence by sentence, the longest known run of sentences first."""
        parts = _SENTENCE.split(text)
        if len(parts) == 1:
            return None
        done: list[str] = []
        index, changed = 0, False
        while index < len(parts):
            for end in range(len(parts), index, -1):
                run = " ".join(parts[index:end])
                shown = self._sentence(run, depth) if end - index < len(parts) else None
                if shown is None and end == index + 1:
                    shown = self._part(run, depth + 1)
                if shown is not None:
                    break
            changed |= shown is not None
            done.append(run if shown is None else shown)
            index = end
        return _joined(done) if changed else None

    def _each_sentence(self, text: str, depth: int) -> str | None:
        """Translate sentences that are messages of their own; None if one isn't."""
        parts = _SENTENCE.split(text)
        done = [self._message(part, depth, only_begun=True) for part in parts] if len(parts) > 1 else [None]
        return None if None in done else _joined([one for one in done if one is not None])

    def _sentence(self, text: str, depth: int) -> str | None:
        """Translate sentences; a message without a full stop may have got one here."""
        done = self._message(text, depth)
        if done is None and text.endswith("."):
            done = self._message(text[:-1], depth)
            return None if done is None else f"{done}。"
        return done

    def _followed(self, text: str, depth: int) -> str | None:
        """Translate text and a message behind it that begins with a comma, a semicolon or a bracket."""
        for found in _FOLLOWS.finditer(text):
            end = self._exact.get(text[found.start() :].strip())
            if end is None and found.start():
                end = self._continued(text[found.start() :].strip(), depth)
            if end is not None and found.start():
                start = text[: found.start()]
                return f"{self._value(start, depth + 1)}{end}"
        return None

    def _continued(self, text: str, depth: int) -> str | None:
        found = self._templates.match(
            text, lambda one, _values: one.literals[0][:1] in (",", ";", "(", ":", ".")
        )
        return None if found is None else self._message(text, depth + 1)

    def _separated(self, text: str, depth: int) -> str | None:
        for separator in _SEPARATORS:
            parts = text.split(separator)
            if len(parts) == 1:
                continue
            shown = _each(parts, lambda part: self._word(part) or self._part(part, depth + 1))
            if shown is None and separator == " and " and depth > 0 and not any(" " in one for one in parts):
                shown = parts  # a list of names
            names = separator == ", " and not any(" " in one for one in parts)
            if shown is not None and not (names and set(shown) & set(parts)):
                between = self._between(separator, all_known=not set(shown) & set(parts))
                return reduce(lambda one, other: tightened(tightened(one, between), other), shown)
        return None

    def _between(self, separator: str, *, all_known: bool) -> str:
        """Return the separator as this language writes it."""
        if separator == " and ":
            return f" {self._words.get('and', 'and')} "
        return self._words.get(separator, separator) if all_known else separator

    def _glued(self, text: str, depth: int) -> str | None:
        """Translate two messages that follow each other without a separator."""
        if len(text) > 300:
            return None
        number = _NUMBER.match(text)
        name = number and (self._word(number[1]) or self._exact.get(number[1]))
        if number and name:
            return f"{name} {number[2]}"
        for found in re.finditer(" ", text):
            first = self._message(text[: found.start()], depth + 1)
            second = self._message(text[found.end() :], depth + 1) if first is not None else None
            if first is not None and second is not None:
                return tightened(f"{first} ", second)
        return None


def _is_name(placeholder: str, value: str) -> bool:
    """Return whether a value is a name, or a list of names, that somebody else has given."""
    return placeholder.rstrip("_0123456789") in NAMES and " " not in value.replace(", ", "")


def _is_sure(template: Template, values: list[str], depth: int, *, only_begun: bool) -> bool:
    """Return whether a text is really of this template, and not somebody's sentence or a longer line."""
    begun = bool(template.literals[0].strip())
    if only_begun and (not begun or template.is_weak):
        return False
    if not begun and ": " in values[0]:
        return False
    if depth == 0 and not begun and template.weight < SURE and any(" " in value for value in values):
        return False
    return not template.is_weak or _is_sure_if_weak(template, values, depth)


def _is_sure_if_weak(template: Template, values: list[str], depth: int) -> bool:
    """Return the same of a template with one word: its values are short, or numbers where they must be."""
    if any("  " in value or value != value.strip() for value in values):
        return False
    numbers = [
        value[:1].isdigit() and not (name == "n" and " " in value)
        for name, value in zip(template.names, values, strict=True)
        if name in NUMBERS
    ]
    if numbers and not all(numbers):
        return False
    if (depth > 0 and template.literals[0].rstrip()[-1:] in (*QUOTES, ":")) or (
        numbers and (depth > 0 or template.weight >= SURE)
    ):
        return True
    most = 1 if depth > 0 and template.literals[0].strip() else 0
    return all(value.count(" ") <= most for value in values)


def _each(parts: list[str], translate: Callable[[str], str | None]) -> list[str] | None:
    shown = [translate(part) for part in parts]
    if not any(shown):
        return None
    return [part if one is None else one for part, one in zip(parts, shown, strict=True)]


def _spaces(text: str) -> tuple[str, str, str]:
    found = _SPACE.match(text)
    assert found is not None
    return found[1], found[2], found[3]


def _padded(cell: str, shown: str, space: str) -> str:
    if not space or space == "\t" or shown == cell:
        return f"{shown}{space}"
    return shown + " " * max(2, len(space) + display_width(cell) - display_width(shown))


def _joined(sentences: list[str]) -> str:
    """Return the sentences in a row; after a Japanese full stop comes no space."""
    text = ""
    for one in sentences:
        text += one if not text or text.endswith(("。", "？", "！")) else f" {one}"
    return text
