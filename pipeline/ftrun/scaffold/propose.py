"""What to make of a data file that nobody described: columns, split, questions.

Pure: works on a `Look`, reads and writes nothing.
"""

from __future__ import annotations

import difflib
import statistics
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ftrun.errors import DataError
from ftrun.experiment.places import shown_path
from ftrun.scaffold.chat_log import ChatLog, conversations, find_log, speaker_and_text
from ftrun.scaffold.column_names import known, plain_name
from ftrun.scaffold.gradable import Gradable, find_gradable
from ftrun.scaffold.peek import KANA, Look
from ftrun.scaffold.preferences import Preferences, find_preferences, is_ready_preference, value_at
from ftrun.scaffold.remarks import FEWEST, remarks

# as `plain_name` spells them; the first that is there wins
USER_NAMES = (
    "user question 質問 問い 問 質問文 q prompt instruction input query request human customer "
    "ユーザー ユーザ 入力 指示 発話 相談 お客様 お問い合わせ 問い合わせ お問合せ 問合せ ご質問"
)
ASSISTANT_NAMES = (
    "assistant answer 回答 答え 答 回答文 a completion output response reply bot "
    "アシスタント 出力 応答 返答 返事 返信 ご回答 対応"
)
JINJA_WORDS = (
    "and or not in is if else elif for true false none True False None self super loop row caller "
    "range dict lipsum cycler joiner namespace varargs kwargs"
)
Method = Literal["supervised", "dpo", "reinforcement"]
CLEAR = 2  # times as long as the next column: then the two longest columns are taken
LONGEST_QUESTION = 200  # characters
QUESTIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns ask and answer, by their names in the file. `context` is Alpaca's `input`."""

    user: str
    assistant: str
    context: str | None = None
    guessed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an experiment on this file should say. `columns`, `log` and `preferences` are None for ready rows.

    `renamed` maps new to old column names; `validation` is a share, a count, or None for no split.
    `gradable` is what a grader compares answers with. `sharegpt` says that rows are to be converted to chats.
    `remote` says why the engine on this machine can't train on it.
    """

    columns: Columns | None
    log: ChatLog | None
    preferences: Preferences | None
    gradable: Gradable | None
    method: Method
    remote: str | None
    renamed: Mapping[str, str]
    sharegpt: bool
    language: Literal["ja", "en"]
    rows: int
    validation: float | int | None
    needs_system: bool
    questions: tuple[str, ...]
    notes: tuple[str, ...]

    def name_of(self, column: str) -> str:
        """Return what `column` is called in templates."""
        return next((new for new, old in self.renamed.items() if old == column), column)


def propose(look: Look, *, user: str | None = None, assistant: str | None = None) -> Proposal:
    """Return what to make of `look`; `user` and `assistant` name columns that the caller knows.

    DataError lists the columns if they can't be told apart.
    """
    if look.chat and (named := user or assistant):
        raise _unknown(look, named)
    told = user is not None or assistant is not None
    ready = look.chat or (not told and all(map(is_ready_preference, look.rows)))
    log = None if ready or told or _names_both(look) else find_log(look)
    preferences = None if ready or told else find_preferences(look, USER_NAMES)
    columns = None if ready or log or preferences else _columns(look, user, assistant)
    pairs = list(_pairs(look, columns, log, preferences))
    distinct = list(dict.fromkeys(pairs))
    language: Literal["ja", "en"] = "ja" if _is_japanese(pairs) else "en"
    gradable = find_gradable(look)
    compared = preferences is not None or (ready and not look.chat)
    method: Method = "dpo" if compared else "reinforcement" if gradable else "supervised"
    return Proposal(
        columns=columns,
        log=log,
        preferences=preferences,
        gradable=gradable,
        method=method,
        remote=_remote(look, method),
        sharegpt=look.sharegpt,
        renamed=_renamed(_named(columns, log, preferences), look.columns),
        language=language,
        rows=len(distinct),
        validation=_validation(len(distinct)),
        needs_system=_needs_system(look, ready, log),
        questions=_questions([question for question, _ in distinct]),
        notes=tuple(remarks(look, columns, log, gradable, len(distinct))),
    )


def _names_both(look: Look) -> bool:
    """Return whether columns are called question and answer."""
    plain = {name: plain_name(name) for name in look.columns}
    asks = known(plain, USER_NAMES)
    return asks is not None and known(plain, ASSISTANT_NAMES, asks) is not None


def _columns(look: Look, user: str | None, assistant: str | None) -> Columns:
    for name in (user, assistant):
        if name is not None and name not in look.columns:
            raise _unknown(look, name)
    if user is not None and user == assistant:
        raise _ambiguous(look, f"{user!r} can't be both the question and the answer")
    plain = {name: plain_name(name) for name in look.columns}
    asks = user or known(plain, USER_NAMES, assistant)
    answers = assistant or known(plain, ASSISTANT_NAMES, asks)
    if asks and answers:
        context = None if user else known(plain, "input", asks)
        alpaca = plain[asks] == "instruction" and context != answers
        return Columns(user=asks, assistant=answers, context=context if alpaca else None)
    return _guess(look, asks, answers)


def _guess(look: Look, asks: str | None, answers: str | None) -> Columns:
    """Return the missing column by its content: the longest text, in the order of the file."""
    lengths = {name: _text_length(look, name) for name in look.columns if name not in (asks, answers)}
    texts = sorted((name for name in lengths if lengths[name]), key=lambda name: -lengths[name])
    needed = 1 if asks or answers else 2
    if len(texts) < needed:
        raise _ambiguous(look, "no two columns hold a question and an answer")
    if len(texts) > needed and lengths[texts[needed - 1]] < CLEAR * lengths[texts[needed]]:
        raise _ambiguous(look, "the columns of question and answer can't be told by name or content")
    first, *rest = sorted(texts[:needed], key=look.columns.index)
    return Columns(user=asks or first, assistant=answers or (rest[0] if rest else first), guessed=True)


def _text_length(look: Look, column: str) -> float:
    """Return the mean length of a column of texts; 0 for numbers, dates, labels and what is not text."""
    values = [row.get(column) for row in look.rows]
    texts = [value for value in values if isinstance(value, str) and sum(map(str.isalpha, value)) > 1]
    if len(texts) < 0.8 * len(values) or len(set(texts)) < 0.5 * len(texts):
        return 0.0
    return statistics.fmean(map(len, texts))


def _unknown(look: Look, name: str) -> DataError:
    near = difflib.get_close_matches(name, look.columns, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    known = f"Columns: {', '.join(look.columns)}."
    where = shown_path(look.path)
    if look.chat:
        known = "The rows are ready chats: leave --user and --assistant out."
    return DataError(f"there is no column {name!r}", code="missing_column", hint=hint + known, file=where)


def _ambiguous(look: Look, message: str) -> DataError:
    columns = ", ".join(look.columns) or "none"
    if (said := speaker_and_text(look)) is not None:
        hint = (
            f"It looks like a chat log: {said[0]!r} says who speaks, {said[1]!r} what. Add a column "
            "`conversation` that is the same in all rows of a conversation, and draft again."
        )
        return DataError(message, code="ambiguous_columns", hint=hint, file=shown_path(look.path))
    hint = f"Name them: --user COLUMN --assistant COLUMN. Columns: {columns}."
    return DataError(message, code="ambiguous_columns", hint=hint, file=shown_path(look.path))


def _named(columns: Columns | None, log: ChatLog | None, preferences: Preferences | None) -> dict[str, str]:
    """Return the columns that the experiment names, by what each of them is."""
    if log is not None:
        return {"role": log.role, "content": log.content}
    if preferences is not None:
        answers = {"preferred": preferences.preferred, "non_preferred": preferences.rejected}
        return answers if preferences.user in answers.values() else {"user": preferences.user, **answers}
    if columns is None:
        return {}
    context = {"context": columns.context} if columns.context else {}
    return {"user": columns.user, "assistant": columns.assistant, **context}


def _renamed(wanted: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Return new names for columns that a template could not name, and for those of a chat log."""
    renamed: dict[str, str] = {}
    for new, old in wanted.items():
        if new in ("role", "content") and old != new:
            renamed[new] = old
        elif not _is_name(old):
            renamed[new if new not in names else f"{new}_text"] = old
    return renamed


def _is_name(text: str) -> bool:
    # Python would read another spelling of a full-width name, so such a name gets a plain one
    return (
        text.isidentifier()
        and text not in JINJA_WORDS.split()
        and unicodedata.normalize("NFKC", text) == text
    )


def _pairs(
    look: Look, columns: Columns | None, log: ChatLog | None, preferences: Preferences | None
) -> Iterator[tuple[str, str]]:
    """Yield the question and the answer of each row; of a chat, its first and the rest."""
    for said in conversations(look, log) if log else ():
        yield next((text for role, text in said if role == "user"), ""), repr(said)
    for row in look.rows if log is None else ():
        if preferences is not None:
            asks, better, _ = preferences.paths
            yield value_at(row, preferences.user, asks), value_at(row, preferences.preferred, better)
        elif columns is None and "input" in row:
            yield _first_question(row["input"]), repr(row)
        elif columns is None:
            yield _first_question(row), repr(row["messages"]) if "messages" in row else ""
        else:
            context = str(row.get(columns.context) or "") if columns.context else ""
            question = str(row.get(columns.user) or "")
            yield "\n\n".join(filter(None, (question, context))), str(row.get(columns.assistant) or "")


def _messages(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = row.get("messages")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _first_question(row: Mapping[str, Any]) -> str:
    asked = (one.get("content") for one in _messages(row) if one.get("role") == "user")
    return next((content for content in asked if isinstance(content, str)), "")


def _needs_system(look: Look, ready: bool, log: ChatLog | None) -> bool:
    if log is not None:
        return all(role != "system" for said in conversations(look, log) for role, _ in said)
    return not (ready and all(_has_system(row if look.chat else row["input"]) for row in look.rows))


def _remote(look: Look, method: str) -> str | None:
    """Return why the engine on this machine can't train on the rows, None if it can."""
    if method != "supervised":
        return "preferences" if method == "dpo" else "rows for a grader"
    for row in look.rows if look.chat else ():
        used = [row, *_messages(row)]
        if any(one.get("tools") or one.get("tool_calls") or one.get("functions") for one in used):
            return "tools"
        parts = [part for one in used[1:] if isinstance(one.get("content"), list) for part in one["content"]]
        if any(isinstance(part, dict) and part.get("type") == "image_url" for part in parts):
            return "images"
    return None


def _has_system(row: Mapping[str, Any]) -> bool:
    return any(one.get("role") in ("system", "developer") for one in _messages(row))


def _is_japanese(pairs: Sequence[tuple[str, str]]) -> bool:
    return 2 * sum(bool(KANA.search("".join(pair))) for pair in pairs) >= len(pairs)


def _validation(rows: int) -> float | int | None:
    """Return what to keep back: a tenth, less where training would fall below the minimum, None at last."""
    if rows >= FEWEST + FEWEST:
        return 0.1
    return min(2, rows - FEWEST) if rows > FEWEST + 1 else None


def _questions(asked: Sequence[str]) -> tuple[str, ...]:
    """Return questions from all over the data, short ones of a single line."""
    short = [text for text in dict.fromkeys(asked) if 0 < len(text.strip()) <= LONGEST_QUESTION]
    single = [text for text in short if "\n" not in text.strip()] or short
    wanted = min(QUESTIONS, len(single))
    return tuple(single[(2 * index + 1) * len(single) // (2 * wanted)].strip() for index in range(wanted))
