"""The calls of functions in an answer: read from its text as the model's template writes them.

Text that may be a call is held back from a stream until the answer ends. What turns out not to be one, such
as a call of a function that was not declared, or one that was cut short, is text after all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Any

from ftrun.engine.inference.call_grammar import call_grammar
from ftrun.engine.models.call_form import CallForm, as_value, call_id
from ftrun.engine.models.chat_template import ChatEncoder
from ftrun.engine.questions import Constraint, ToolCall, Tools

DECODER = json.JSONDecoder(strict=False)  # models write line breaks into strings
OPENING, BETWEEN = re.compile(r"\s*(\[\s*)?"), re.compile(r"[\s,;]*")
KEYS = ("name", "arguments", "parameters", "type", "function", "id")  # of the objects that models write
FIRST_KEY = re.compile(r'[\s\[]*\{\s*"([^"]*)"')


class CallReader:
    """Divides an answer into what is said and what is called."""

    def __init__(self, tools: Tools, encoder: ChatEncoder, constraint: Constraint | None = None) -> None:
        """Read calls of `tools`; `constraint` is what an answer without calls must fit.

        The model must have a form of calls: its encoder has read the tools before.
        """
        form = encoder.call_form
        assert form is not None
        whole = form.head + form.middle + form.tail + (form.joint or "")
        self._form, self._special, self._added = form, encoder.special_in(whole), encoder.added_in(whole)
        self._tools, self._constraint = tools, constraint
        self._names = {function["name"] for function in tools.functions}
        self._most = None if tools.parallel else 1
        self._held = ""  # may be a call
        self._called = False  # whether a call seems to have begun
        self._only_text = False

    def grammar(self, is_special: Callable[[int], bool]) -> str | None:
        """Return the grammar of the answer, None if it is free; `is_special` says what tokens aren't text."""
        special = {number: name for number, name in self._added.items() if is_special(number)}
        return call_grammar(self._tools, self._form, special, constraint=self._constraint)

    def add(self, token: int, piece: str) -> str:
        """Take a token and the text that it made certain; return what is no call."""
        self._held += self._special.get(token, "") + piece
        if self._only_text:
            return self._release(len(self._held))
        if self._called or self._waits():
            return ""
        if not self._form.marker:
            self._only_text = True
            return self._release(len(self._held))
        place = self._held.find(self._form.marker)
        self._called = place >= 0
        if not self._called:
            place = len(self._held) - _beginning(self._held, self._form.marker)
        return self._release(len(self._held[:place].rstrip()))

    def end(self, piece: str) -> tuple[str, list[ToolCall]]:
        """Take the last text; return what of the text is left, and the calls."""
        text = self._held + piece
        if self._only_text:
            return text, []
        said, calls = read_calls(text, self._form, self._names)
        return said, calls[: self._most]

    def _waits(self) -> bool:
        """Return whether all of an answer may still be a call, where calls have no marker."""
        if self._form.marker:
            return False
        if (key := FIRST_KEY.match(self._held)) is not None:
            return key[1] in KEYS
        return self._held.lstrip()[:1] in ("", "{", "[")

    def _release(self, end: int) -> str:
        text, self._held = self._held[:end], self._held[end:]
        return text


def read_calls(text: str, form: CallForm, names: Collection[str]) -> tuple[str, list[ToolCall]]:
    """Return `text` without its calls of the functions `names`, and these in their order."""
    said, calls = "", list[ToolCall]()
    at = 0
    while (place := text.find(form.marker, at)) >= 0:
        found, end = _calls_at(text, place + len(form.marker), form, names)
        said += text[at : place if found else end]
        calls += found
        at = end
        if not form.marker:
            break
    said += text[at:]
    return (said.strip() if calls else said), calls


def _calls_at(text: str, at: int, form: CallForm, names: Collection[str]) -> tuple[list[ToolCall], int]:
    """Return the calls from a place on, and where they end; the place itself if there are none."""
    calls: list[ToolCall] = []
    end, place = at, _after(OPENING, text, at)
    while (one := _call_at(text, place, form, names)) is not None:
        call, end = one
        calls.append(call)
        place = _after(BETWEEN, text, end)
    if calls:
        end = _after(re.compile(rf"\s*\]?\s*(?:{re.escape(form.closing)})?[\s;]*"), text, end)
    return calls, end


def _call_at(text: str, at: int, form: CallForm, names: Collection[str]) -> tuple[ToolCall, int] | None:
    """Return the call at a place and where it ends; None if there is none."""
    name: Any = ""
    start = at
    if not form.is_object:
        middle = re.escape(form.middle.strip()).replace(call_id(1), r"\w+")
        if (found := re.compile(rf"([\w-]+)\s*{middle}\s*").match(text, at)) is None:
            return None
        name, start = found[1], found.end()
    try:
        value, end = DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    if form.is_object and isinstance(value, dict):
        called = value.get("function", value)
        name, value = (called.get("name"), _arguments(called)) if isinstance(called, dict) else (None, None)
    if not isinstance(name, str) or name not in names or not isinstance(value, dict):
        return None
    return ToolCall(name=name, arguments=json.dumps(value, ensure_ascii=False)), end


def _arguments(call: dict[str, Any]) -> Any:
    """Return the arguments in the object of a call; none are `{}`, and some models write them as a string."""
    found = call.get("arguments", call.get("parameters", {}))
    return as_value(found) if isinstance(found, str) else {} if found is None else found


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _beginning(text: str, marker: str) -> int:
    """Return how many characters at the end of `text` may be the beginning of `marker`."""
    return next(size for size in range(len(marker) - 1, -1, -1) if text.endswith(marker[:size]))
