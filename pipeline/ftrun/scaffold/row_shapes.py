"""Recognising rows that a `shape` converts, rows that are not to be taught, and texts with labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftrun.data.shapes.recognising import shape_of, useless
from ftrun.data.shapes.rows import TURNS, shaped
from ftrun.data.shapes.turns import is_talk, speaker_key, turns_in
from ftrun.data.shapes.values import ShapeFault, role_of
from ftrun.scaffold.names import PREFERRED, REJECTED, find_column, plain_name

Row = dict[str, Any]
MOST_LOOKED_AT = 500  # rows, to find their shape
WORDS = {
    "chat": "conversations as lists of turns, which become chats",
    "hermes": "conversations with tool calls in tags, which become chats with tools",
    "alpaca": "instructions with a history, which become chats",
    "preferences": "conversations with a better and a worse answer, which become preferences",
    "xlam": "queries with the calls that answer them, which become chats with tools",
    "batch": "requests with their responses, which become chats",
}
# columns that say whether a row is a good example, as KTO's do
VERDICT = "label ktotag desirable isdesirable thumbsup upvoted isgood 良い"
TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")
LABEL = (
    "label labels category sentiment class classification intent topic emotion polarity target tag "
    "rating stars ラベル カテゴリ カテゴリー 分類 感情 区分 種別 タグ 意図 極性 評価 星"
)
TEXT = (
    "text sentence review comment content document tweet utterance message body query question premise "
    "description headline title 文 文章 本文 テキスト レビュー コメント 口コミ 内容 発話"
)
NOT_BLANK = (
    "messages | rejectattr('role', 'eq', 'tool') | rejectattr('tool_calls', 'defined')"
    " | map(attribute='content') | map('default', '', true) | map('trim') | select('eq', '') | list == []"
)
PAIRS = ({"premise", "hypothesis"}, {"text", "textpair"}, {"sentencea", "sentenceb"}, {"texta", "textb"})
LONG = 20  # characters of a mean text: beside another one of them it is unclear which is labelled
MOST_LABELS, LONGEST_LABEL = 30, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How rows are read: keys of the source (`renamed` is `columns`), the rows so read, and notes."""

    rows: tuple[Row, ...]
    shape: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, ...]] | None = None
    where: str | None = None
    notes: tuple[str, ...] = ()


def read_shapes(rows: Sequence[Row]) -> Reading:
    """Return how to read rows of a file; as they are, if they have no shape that must be converted."""
    found = _shape(rows) or _named_otherwise(rows)
    converted = found or Reading(rows=tuple(rows))
    return _taught(_filled(_callable(converted)))


def refusal(rows: Sequence[Row]) -> tuple[str, str] | None:
    """Return why no experiment can use the rows and what to do; None if there is no known reason."""
    first = useless(rows[0])
    if first is not None and all(useless(row) for row in rows):
        return first
    parents = [str(parent) for row in rows if (parent := row.get("parent_id"))]
    if any("parent_id" in row and "role" in row for row in rows) and len(set(parents)) < len(parents):
        return (
            "the rows are a tree: several messages answer the same one (`parent_id`)",
            'Write each conversation as a row, {"messages": [...]}, from its last message up by `parent_id`.',
        )
    return None


def _shape(rows: Sequence[Row]) -> Reading | None:
    looked = rows[:MOST_LOOKED_AT]
    shapes = Counter(one.shape for row in looked if (one := shape_of(row)) is not None)
    if not shapes:
        return None
    shape = "hermes" if set(shapes) == {"chat", "hermes"} else shapes.most_common(1)[0][0]
    ready = sum(isinstance(row.get("messages"), list) for row in looked)
    if 2 * max(shapes.total(), ready) < len(looked):
        return None
    return _converted(rows, shape)


def _converted(
    rows: Sequence[Row],
    shape: str,
    renamed: Mapping[str, str] | None = None,
    roles: Mapping[str, tuple[str, ...]] | None = None,
    notes: tuple[str, ...] = (),
) -> Reading | None:
    made: list[Row] = []
    for row in rows:
        old = {value: key for key, value in (renamed or {}).items()}
        try:
            made.append(shaped({old.get(key, key): value for key, value in row.items()}, shape, roles).values)
        except ShapeFault:
            continue
    if 2 * len(made) < len(rows):
        return None
    failed = len(rows) - len(made)
    if failed:
        notes = (
            *notes,
            f"{failed} of {len(rows)} rows can't be converted: `ftrun check` says where and why.",
        )
    return Reading(rows=tuple(made), shape=shape, renamed=renamed or {}, roles=roles, notes=notes)


def _named_otherwise(rows: Sequence[Row]) -> Reading | None:
    """Return how to read turns in a column of another name, or of speakers with names of their own."""
    columns = dict.fromkeys(name for row in rows for name in row)
    if find_column(columns, PREFERRED) is not None and find_column(columns, REJECTED) is not None:
        return None
    talks = [name for name in columns if all(is_talk(row.get(name)) for row in rows)]
    if not talks:
        lists = [name for name in columns if all(isinstance(row.get(name), list) for row in rows)]
        talks = [name for name in lists if all(is_talk(row[name], texts=True) for row in rows)]
        talks = talks if len(columns) == 1 else []
    if len(talks) != 1:
        return None
    (column,) = talks
    renamed = {} if column in TURNS else {"messages": column}
    if "messages" in columns and renamed:
        return None
    firsts = [speakers for row in rows if (speakers := list(_unknown_speakers(row[column])))]
    names = list(dict.fromkeys(name for speakers in firsts for name in speakers))
    if not names:
        return _converted(rows, "chat", renamed) if renamed else None
    if len(names) != 2:
        return None
    asks = Counter(speakers[0] for speakers in firsts).most_common(1)[0][0]
    answers = next(name for name in names if name != asks)
    note = f"By who speaks first, {asks!r} asks and {answers!r} answers. If not, fix `roles`."
    return _converted(rows, "chat", renamed, {"user": (asks,), "assistant": (answers,)}, (note,))


def _unknown_speakers(value: Any) -> Iterator[str]:
    for turn in turns_in(value) or ():
        key = speaker_key(turn) if isinstance(turn, Mapping) else None
        if key is not None and isinstance(turn[key], str) and role_of(turn[key]) is None:
            yield turn[key]


def _callable(reading: Reading) -> Reading:
    """Leave out rows that call a function without declaring any, if others declare theirs."""
    calls = [row for row in reading.rows if _calls(row)]
    undeclared = [row for row in calls if not row.get("tools")]
    if reading.shape is None or not undeclared or len(undeclared) == len(calls):
        return reading
    note = (
        f"{len(undeclared)} of {len(reading.rows)} rows call a function but have no `tools` that declare it, "
        "so `where` leaves them out."
    )
    where = "tools is defined or not (messages | selectattr('tool_calls', 'defined') | list)"
    rows = tuple(row for row in reading.rows if row.get("tools") or not _calls(row))
    return _replaced(reading, rows, where, note)


def _filled(reading: Reading) -> Reading:
    """Leave out chats with a blank message."""
    blank = [_is_blank(row) for row in reading.rows]
    if reading.where is not None or not any(blank) or all(blank):
        return reading
    note = f"{sum(blank)} of {len(reading.rows)} rows have a blank message, so `where` leaves them out."
    rows = tuple(row for row, one in zip(reading.rows, blank, strict=True) if not one)
    return _replaced(reading, rows, NOT_BLANK, note)


def _is_blank(row: Row) -> bool:
    messages = row.get("messages")
    return isinstance(messages, list) and any(
        isinstance(one, dict)
        and one.get("role") != "tool"
        and "tool_calls" not in one
        and (one.get("content") is None or not str(one["content"]).strip())
        for one in messages
    )


def _calls(row: Row) -> bool:
    messages = row.get("messages")
    return isinstance(messages, list) and any(
        isinstance(one, dict) and one.get("tool_calls") for one in messages
    )


def _taught(reading: Reading) -> Reading:
    """Leave out rows that a column calls bad examples, as in data for KTO."""
    columns = dict.fromkeys(name for row in reading.rows for name in row)
    column = find_column(columns, VERDICT)
    answered = {"completion", "messages", "response", "answer", "output"} & {
        plain_name(name) for name in columns
    }
    if column is None or plain_name(column) not in VERDICT.split() or not answered or reading.where:
        return reading
    values = [row.get(column) for row in reading.rows]
    said = {str(value).strip().lower() for value in values}
    if not said <= {*TRUE, *FALSE} or not said & set(TRUE) or not said & set(FALSE):
        return reading
    good = [str(value).strip().lower() in TRUE for value in values]
    named = column if column.isidentifier() and column.isascii() else f"row[{column!r}]"
    if all(isinstance(value, bool) for value in values):
        where = named
    elif all(isinstance(value, int) for value in values):
        where = f"{named} == 1"
    else:
        taught = sorted({str(value) for value, one in zip(values, good, strict=True) if one})
        where = f"{named} | string in {taught!r}"
    note = (
        f"Only the {sum(good)} rows whose {column!r} is true are taught; `where` leaves out the other "
        f"{len(good) - sum(good)}, which are examples of bad answers."
    )
    rows = tuple(row for row, one in zip(reading.rows, good, strict=True) if one)
    return _replaced(reading, rows, where, note)


def _replaced(reading: Reading, rows: tuple[Row, ...], where: str, note: str) -> Reading:
    return Reading(
        rows=rows,
        shape=reading.shape,
        renamed=reading.renamed,
        roles=reading.roles,
        where=where,
        notes=(*reading.notes, note),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """The columns of texts (two, where these are compared) and of their labels, the most frequent first."""

    texts: tuple[str, ...]
    label: str
    labels: tuple[str, ...]


def find_labelled(columns: Sequence[str], rows: Sequence[Row]) -> Labelled | None:
    """Return how a table has texts and labels: few different short values beside longer texts."""
    label = find_column(columns, LABEL)
    text = find_column(columns, TEXT, label)
    if label is None or text is None:
        return None
    values = [row.get(label) for row in rows]
    if not all(isinstance(value, (str, int)) and str(value).strip() for value in values):
        return None
    counts = Counter(str(value) for value in values)
    short = all(len(one) <= LONGEST_LABEL and "\n" not in one for one in counts)
    if not short or not 2 <= len(counts) <= min(MOST_LABELS, len(rows) // 2):
        return None
    lengths = {
        name: sum(map(len, values)) / len(values)
        for name in columns
        if name != label and all(isinstance(row.get(name), str) for row in rows)
        if (values := [str(row[name]) for row in rows])
    }
    compared = tuple(name for name in lengths if name == text or _is_pair(name, text))
    if text not in lengths:
        return None
    long = min(LONG, lengths[text] / 2)
    others = [name for name in lengths if name not in compared and lengths[name] >= long]
    if len(compared) > 2 or others:
        return None
    return Labelled(texts=compared, label=label, labels=tuple(name for name, _ in counts.most_common()))


def _is_pair(name: str, other: str) -> bool:
    """Return whether two columns hold texts that are compared, such as sentence1 and sentence2."""
    plain = {plain_name(name), plain_name(other)}
    return (len(plain) == 1 and name != other) or plain in PAIRS
