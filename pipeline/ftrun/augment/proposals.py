"""From answers to entries for review: read the rows in an answer, and leave out what is known or malformed.

A model's output is data: it is never rendered, and what is long or has control characters is refused.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ftrun.augment.asking import AugmentAnswer
from ftrun.augment.entries import ReviewEntry, SourceRow, entry_id
from ftrun.augment.known_questions import KnownQuestions
from ftrun.augment.requests import AskedModel, Request
from ftrun.augment.row_texts import Fields, RowTexts
from ftrun.text import visible

LONGEST = 8000  # characters of one text
BULLET = re.compile(r"^\s*(?:[-*•・‣]\s*|[(（]?\d{1,2}[).．）、:：]\s*)")
QUOTES = ("「」", "『』", '""', "“”", "''", "‘’")
FENCE = re.compile(r"^\s*```\w*\s*$")
FORM, LONG, CONTROL, EMPTY = "not in the asked form", "too long", "with control characters", "empty"
KNOWN, NEARLY = "there already", "nearly there already"


def proposals(
    asked: Sequence[Request],
    answers: Mapping[str, AugmentAnswer],
    *,
    row_texts: RowTexts,
    kind: str,
    who: AskedModel,
    questions: KnownQuestions,
    reviewed: Iterable[ReviewEntry],
) -> tuple[list[ReviewEntry], Counter[str]]:
    """Return the entries made from the answers, and how many rows were left out for which reason.

    `questions` are the known ones; `reviewed` the entries proposed before, whatever their status.
    """
    known = {entry.id for entry in reviewed}
    for entry in reviewed:
        questions.know(entry.new.get(row_texts.question, ""))
    found: list[ReviewEntry] = []
    left_out: Counter[str] = Counter()
    for request in asked:
        answered = answers.get(request.key)
        if answered is None:
            continue
        rows, refused = _rows(request, answered, row_texts, kind)
        left_out += refused
        for new in rows:
            entry = _entry(request, answered, new, row_texts, kind, who)
            if entry.id in known:
                continue
            if questions.add(new[row_texts.question]):
                found.append(entry)
            else:
                left_out[KNOWN] += 1
    near = questions.near([entry.new[row_texts.question] for entry in found])
    left_out[NEARLY] += len(near)
    return [entry for index, entry in enumerate(found) if index not in near], +left_out


def _rows(
    request: Request, answered: AugmentAnswer, row_texts: RowTexts, kind: str
) -> tuple[list[Fields], Counter[str]]:
    longest = request.sampling.get("max_tokens")
    cut = isinstance(longest, int) and answered.usage.get("completion_tokens", 0) >= longest
    seed = request.seeds[0]
    if kind == "new":
        return cases(answered.text, request.number, tuple(seed.fields), cut=cut)
    wordings, refused = paraphrases(answered.text, request.number, cut=cut)
    return [{**seed.fields, row_texts.question: one} for one in wordings], refused


def _entry(
    request: Request, answered: AugmentAnswer, new: Fields, row_texts: RowTexts, kind: str, who: AskedModel
) -> ReviewEntry:
    seed = request.seeds[0]
    return ReviewEntry(
        id=entry_id(request.key, new),
        status="pending",
        kind=kind,
        old=seed.fields,
        new=new,
        rest=row_texts.rest_of(seed.values),
        origin=tuple(SourceRow(file=one.file, line=one.line, digest=one.digest) for one in request.seeds),
        made={
            "target": who.target,
            "model": who.model,
            "prompt": request.prompt,
            "request": request.key[:16],
            "time": answered.time,
            "run": answered.run,
        },
    )


def paraphrases(answer: str, number: int, *, cut: bool = False) -> tuple[list[str], Counter[str]]:
    """Return at most `number` paraphrases, one per line, and how many lines were refused for which reason.

    `cut`: the answer ended at its limit, so that its last line is incomplete.
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
    """Return at most `number` objects with the texts `names`, one per line, and why others were refused."""
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
