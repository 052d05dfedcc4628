"""Reading what a model answered: new rows in the asked form, and why the rest of it is none.

A model's output is data: it is never rendered, and what is long or has control characters is refused.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from ftrun.augment.shapes import Fields
from ftrun.text import visible

LONGEST = 8000  # characters of one text
BULLET = re.compile(r"^\s*(?:[-*•・‣]\s*|[(（]?\d{1,2}[).．）、:：]\s*)")
QUOTES = ("「」", "『』", '""', "“”", "''", "‘’")
FENCE = re.compile(r"^\s*```\w*\s*$")
FORM, LONG, CONTROL, EMPTY = "not in the asked form", "too long", "with control characters", "empty"


def paraphrases(answer: str, number: int, *, cut: bool = False) -> tuple[list[str], Counter[str]]:
    """Return at most `number` wordings, one a line, and how many lines were refused for which reason.

    `cut`: the answer ended at its limit, so that its last line is no whole one.
    """
    found: list[str] = []
    refused: Counter[str] = Counter()
    for line in _lines(answer, cut):
        text = _bare(line)
        reason = FORM if text.endswith((":", "：")) else _fault(text)
        if reason:
            refused[reason] += 1
        elif len(found) < number:
            found.append(text)
    return found, refused


def cases(
    answer: str, number: int, names: Sequence[str], *, cut: bool = False
) -> tuple[list[Fields], Counter[str]]:
    """Return at most `number` objects with the texts `names`, one a line, and why others were refused."""
    found: list[Fields] = []
    refused: Counter[str] = Counter()
    for line in _lines(answer, cut):
        text = line.strip().rstrip(",")
        if text in ("[", "]"):
            continue
        fields = _fields(text, names)
        reason = FORM if fields is None else next(filter(None, map(_fault, fields.values())), "")
        if reason or fields is None:
            refused[reason] += 1
        elif len(found) < number:
            found.append(fields)
    return found, refused


def _lines(answer: str, cut: bool) -> list[str]:
    lines = answer.split("\n")
    whole = lines[:-1] if cut else lines
    return [line for line in whole if line.strip() and not FENCE.match(line)]


def _bare(line: str) -> str:
    text = BULLET.sub("", line).strip()
    if len(text) > 2 and text[0] + text[-1] in QUOTES:
        text = text[1:-1].strip()
    return text


def _fields(text: str, names: Sequence[str]) -> Fields | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or set(value) != set(names):
        return None
    if not all(isinstance(one, str) for one in value.values()):
        return None
    return {name: value[name].strip() for name in names}


def _fault(text: str) -> str:
    if not text.strip():
        return EMPTY
    if len(text) > LONGEST:
        return LONG
    return "" if visible(text, keep_newlines=True) == text else CONTROL
