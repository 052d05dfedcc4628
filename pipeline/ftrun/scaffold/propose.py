"""Proposing an experiment for a data file that nobody described: its shape, method, split and questions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ftrun.errors import DataError
from ftrun.protocol.spec import CHAT_KEYS, FEWEST_EXAMPLES, Method
from ftrun.scaffold import names
from ftrun.scaffold.chat_log import find_log, speaker_and_text
from ftrun.scaffold.data_file import DataFile
from ftrun.scaffold.names import find_column
from ftrun.scaffold.notes import notes
from ftrun.scaffold.shapes import (
    Pair,
    Shape,
    find_preferences,
    find_question_answer,
    is_ready_preference,
    messages_in,
    ready_rows,
)

KANA = re.compile("[\u3040-\u30ff]")
FIELD = re.compile(r"[A-Za-z_]\w*")  # what a grader's template can name
LONGEST_EXACT = 40  # characters: longer answers are hardly given word for word
LONGEST_QUESTION = 200  # characters
QUESTIONS = 3


class Reference(NamedTuple):
    """The field of each row that a grader compares answers with; `exact`: short enough for equality."""

    field: str
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an experiment on this file should say.

    `reference` is set for rows for a grader. `remote` says why the engine on this machine can't train on the
    rows, None if it can. `validation` is a share, a count, or None for no split.
    """

    file: DataFile
    shape: Shape
    method: Method
    reference: Reference | None
    remote: str | None
    language: Literal["ja", "en"]
    rows: int
    validation: float | int | None
    questions: tuple[str, ...]
    notes: tuple[str, ...]


def propose(file: DataFile, *, user: str | None = None, assistant: str | None = None) -> Proposal:
    """Return what to make of a file; `user` and `assistant` name columns that the caller knows.

    DataError lists the columns if they can't be told apart.
    """
    shape = _shape(file, user, assistant)
    distinct = list(dict.fromkeys(shape.pairs))
    reference = _reference(file)
    method: Method = "reinforcement" if reference else shape.method
    return Proposal(
        file=file,
        shape=shape,
        method=method,
        reference=reference,
        remote=_remote(file, method),
        language="ja" if _is_japanese(shape.pairs) else "en",
        rows=len(distinct),
        validation=_validation(len(distinct)),
        questions=_questions([question for question, _ in distinct]),
        notes=tuple(notes(file, shape, reference.field if reference else None, len(distinct))),
    )


def _shape(file: DataFile, user: str | None, assistant: str | None) -> Shape:
    given = [name for name in (user, assistant) if name is not None]
    for name in given:
        if file.chat or name not in file.columns:
            raise _unknown_column(file, name)
    if file.chat or (not given and all(map(is_ready_preference, file.rows))):
        return ready_rows(file)
    if len(given) == 2 and user == assistant:
        raise _unclear(file, f"{user!r} can't be both the question and the answer")
    found = None
    if not given:
        asks = find_column(file.columns, names.USER)
        both = asks is not None and find_column(file.columns, names.ASSISTANT, asks) is not None
        found = (None if both else find_log(file)) or find_preferences(file)
    found = found or find_question_answer(file, user, assistant)
    if found is None:
        raise _unclear(file, "it is unclear which columns are the question and the answer")
    return found


def _unknown_column(file: DataFile, name: str) -> DataError:
    near = difflib.get_close_matches(name, file.columns, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    hint += f"Columns: {', '.join(file.columns)}."
    if file.chat:
        hint = "The rows are ready chats: leave out --user and --assistant."
    return file.error(f"there is no column {name!r}", "missing_column", hint)


def _unclear(file: DataFile, message: str) -> DataError:
    hint = f"Name them: --user COLUMN --assistant COLUMN. Columns: {', '.join(file.columns) or 'none'}."
    if (said := speaker_and_text(file)) is not None:
        hint = (
            f"It looks like a chat log: {said[0]!r} says who speaks, {said[1]!r} what. Add a column "
            "`conversation` that is the same in all rows of a conversation, and run init again."
        )
    return file.error(message, "ambiguous_columns", hint)


def _reference(file: DataFile) -> Reference | None:
    """Return what a grader can compare with, if the chats end with a question and one field is clear."""
    chats = [messages_in(row) for row in file.rows]
    if not all(messages and messages[-1].get("role") == "user" for messages in chats):
        return None
    fields = [name for name in file.columns if name not in CHAT_KEYS and FIELD.fullmatch(name)]
    fields = [name for name in fields if all(_is_answer(row.get(name)) for row in file.rows)]
    field = find_column(fields, names.REFERENCE) or (fields[0] if len(fields) == 1 else None)
    if field is None:
        return None
    return Reference(field, all(len(str(row[field])) <= LONGEST_EXACT for row in file.rows))


def _is_answer(value: object) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, str) and value.strip() != "")


def _remote(file: DataFile, method: Method) -> str | None:
    """Return what the engine on this machine can't train on, None if it can train on the rows."""
    if method != "supervised":
        return "preferences" if method == "dpo" else "rows for a grader"
    for row in file.rows if file.chat else ():
        messages = messages_in(row)
        if any(one.get("tools") or one.get("tool_calls") or one.get("functions") for one in (row, *messages)):
            return "tools"
        parts = [part for one in messages if isinstance(one.get("content"), list) for part in one["content"]]
        if any(isinstance(part, dict) and part.get("type") == "image_url" for part in parts):
            return "images"
    return None


def _is_japanese(pairs: Sequence[Pair]) -> bool:
    return 2 * sum(bool(KANA.search("".join(pair))) for pair in pairs) >= len(pairs)


def _validation(rows: int) -> float | int | None:
    """Return what to hold back: a tenth, less where training would fall below the minimum, None at last."""
    if rows >= 2 * FEWEST_EXAMPLES:
        return 0.1
    return min(2, rows - FEWEST_EXAMPLES) if rows > FEWEST_EXAMPLES + 1 else None


def _questions(asked: Sequence[str]) -> tuple[str, ...]:
    """Return questions from all over the data, short ones of a single line."""
    short = [text for text in dict.fromkeys(asked) if 0 < len(text.strip()) <= LONGEST_QUESTION]
    single = [text for text in short if "\n" not in text.strip()] or short
    wanted = min(QUESTIONS, len(single))
    return tuple(single[(2 * index + 1) * len(single) // (2 * wanted)].strip() for index in range(wanted))
