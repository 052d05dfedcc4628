"""Cleaning the texts of examples as `data.clean` asks: each rule undoes what a finding reports."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ftrun.data.quality.characters import without_hidden
from ftrun.data.quality.placeholders import CODE
from ftrun.data.quality.remains import html_left, tab_runs
from ftrun.data.quality.subjects import is_excused, prompt_of
from ftrun.data.texts.markup import old_marks, without_marks, without_markup, without_tabs
from ftrun.data.texts.mojibake import repaired
from ftrun.protocol.plain_chats import TrainingRow, chat_of
from ftrun.protocol.spec import COMPLETION_KEYS
from ftrun.protocol.texts import NO_TEXT, Text, is_answer, texts_of

Change = Callable[[Text], str]
# in the order in which they are applied: later ones see what earlier ones left
RULES = ("mojibake", "newlines", "hidden", "html", "tabs", "half_width", "separators", "trim")


class Cleaner:
    """Cleans training rows by the rules that an experiment names."""

    def __init__(self, rules: Sequence[str]) -> None:
        self._rules = tuple(rule for rule in RULES if rule in rules)

    def cleaned(self, made: TrainingRow, *, own_system: bool = True) -> TrainingRow:
        """Return a row with clean texts; without `own_system` its system prompt is not its own: it stays."""
        if not self._rules:
            return made
        row: Any = made.example
        for rule in self._rules:
            row = _changed(row, _change_of(rule, row, own_system))
        return TrainingRow(row, chat_of(row)) if row != made.example else made


def _change_of(rule: str, row: Mapping[str, Any], own_system: bool) -> Change:
    """Return what a rule makes of each text of a row; a text of which nothing is left stays as it is."""
    change = CHANGES[rule](row) if rule in OF_A_ROW else CHANGES[rule]

    def kept(text: Text) -> str:
        if not own_system and text.role in ("system", "developer"):
            return text.text
        new: str = change(text)
        return new if new.strip() else text.text

    return kept


def _changed(value: Any, change: Change, field: str = "", role: str | None = None) -> Any:
    """Return part of a row with its texts changed; ids, roles and addresses of images are not texts."""
    if isinstance(value, str):
        return change(Text(field, role, value))
    if isinstance(value, Mapping):
        said_by = value.get("role")
        role = said_by if isinstance(said_by, str) else role
        return {
            key: one
            if key in NO_TEXT
            else _changed(one, change, f"{field}.{key}" if field else str(key), role)
            for key, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_changed(one, change, f"{field}[{index}]", role) for index, one in enumerate(value)]
    return value


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    if "`" not in text:
        return change(text)
    ends = [0, *(end for found in CODE.finditer(text) for end in found.span()), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(ends)]
    return "".join(piece if index % 2 else change(piece) for index, piece in enumerate(pieces))


def _html(row: Mapping[str, Any]) -> Change:
    texts = texts_of(row)

    def change(text: Text) -> str:
        found = next(html_left(text), None)
        if found is None or is_excused(found, text, prompt_of(texts, text)):
            return text.text
        return _outside_code(text.text, without_markup).strip()

    return change


def _tabs(row: Mapping[str, Any]) -> Change:
    texts = texts_of(row)

    def change(text: Text) -> str:
        found = next(tab_runs(text), None)
        if found is None or is_excused(found, text, prompt_of(texts, text)):
            return text.text
        return _outside_code(text.text, without_tabs)

    return change


def _separators(row: Mapping[str, Any]) -> Change:
    """Return what removes the marks around prompts and answers."""
    new: dict[str, str] = {}
    before: Text | None = None
    for text in texts_of(row):
        if before is not None and is_answer(text) and old_marks(before.text, text.text):
            new[before.field], new[text.field] = without_marks(before.text, text.text)
        before = None if is_answer(text) else text
    return lambda text: new.get(text.field, text.text)


def _half_width(text: Text) -> str:
    from ftrun.experiment.templates.sandbox import half_width  # imports jinja2

    return str(half_width(text.text))


def _trim(text: Text) -> str:
    return text.text if text.field in COMPLETION_KEYS else text.text.strip()


OF_A_ROW = ("html", "tabs", "separators")
CHANGES: Mapping[str, Callable[[Any], Any]] = {
    "mojibake": lambda text: repaired(text.text),
    "newlines": lambda text: re.sub("\r\n?", "\n", text.text),
    "hidden": lambda text: without_hidden(text.text),
    "html": _html,
    "tabs": _tabs,
    "half_width": _half_width,
    "separators": _separators,
    "trim": _trim,
}
