"""Recognising the rows of a data file: ready rows, a chat log, questions and answers, or preferences."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ftrun.protocol.spec import ROLES, SYSTEM_ROLES, Method
from ftrun.scaffold import names
from ftrun.scaffold.columns import Columns
from ftrun.scaffold.data_file import DataFile
from ftrun.scaffold.names import find_column, plain_name
from ftrun.scaffold.row_shapes import WORDS, find_labelled

Row = Mapping[str, Any]
Pair = tuple[str, str]  # question and answer of an example; of a chat, its first question and all of it
JINJA_WORDS = (
    "and or not in is if else elif for true false none True False None self super loop row caller "
    "range dict lipsum cycler joiner namespace varargs kwargs"
)
MOST_SPEAKERS = 20  # different ones; more are names of people, not roles
LONGEST_DEFAULT = 200  # characters of a system prompt that rows without one get
MOST_LINES = 10  # shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the rows are, and how an experiment says so.

    `words` describe them. `columns` are named by what they hold (None: the rows are ready), `renamed` has new
    and old names. `source` has keys of the source, `templates` those of `prompt`. `guessed`: the names of
    columns or speakers did not say so. `unknown`: speakers of a log without a role. `labels`: all answers,
    where texts are classified. `notes` say what was left out.
    """

    words: str
    pairs: Sequence[Pair]
    method: Method = "supervised"
    columns: Mapping[str, str | None] | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    needs_system: bool = True
    guessed: bool = False
    unknown: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def ready_rows(file: DataFile) -> Shape:
    """Return the shape of rows that need no templates: chats, else preferences as the API takes them."""
    asked = [messages_in(row if file.chat else row["input"]) for row in file.rows]
    said = [[one.get("content") for one in messages if one.get("role") == "user"] for messages in asked]
    if file.reading.shape == "alpaca":
        said = [texts[-1:] for texts in said]  # what comes before it is history
    first = [next((text for text in texts if isinstance(text, str)), "") for texts in said]
    whole = [repr(row.get("messages", "") if file.chat else row) for row in file.rows]
    ready = "ready chats" if file.chat else "ready preferences"
    return Shape(
        words=WORDS.get(file.reading.shape or "", ready),
        pairs=list(zip(first, whole, strict=True)),
        method="supervised" if file.chat else "dpo",
        needs_system=not all(any(one.get("role") in SYSTEM_ROLES for one in messages) for messages in asked),
    )


def messages_in(row: Row) -> list[Row]:
    """Return the messages of a row that are objects; none if it has no messages."""
    found = row.get("messages")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def is_ready_preference(row: Row) -> bool:
    """Return whether a row is a preference as the fine-tuning API takes it."""
    asked = row.get("input")
    return isinstance(asked, dict) and isinstance(asked.get("messages"), list) and "preferred_output" in row


def find_log(file: DataFile) -> Shape | None:
    """Return how the file is a chat log, None if it is not."""
    conversation = find_column(file.columns, names.CONVERSATION)
    role = find_column(file.columns, names.ROLE, conversation)
    content = find_column(file.columns, names.CONTENT, conversation, role)
    if conversation is None or role is None or content is None:
        return None
    if {"role", "content"} & ({*file.columns} - {role, content}):
        return None  # other columns have the names that these two must get
    turns = [(str(row.get(conversation)), str(row.get(role) or "").strip()) for row in file.rows]
    speakers = list(dict.fromkeys(speaker for _, speaker in turns if speaker))
    if not 2 <= len(speakers) <= MOST_SPEAKERS or len(dict(turns)) == len(turns):
        return None
    order = find_column(file.columns, names.ORDER, conversation, role, content)
    role_of, guessed = _roles(speakers, turns)
    spoken = {said: tuple(one for one in role_of if role_of[one] == said) for said in role_of.values()}
    usual = all(one.lower() in ROLES for one in speakers)
    chats: dict[str, list[Pair]] = {}
    for row, (chat, speaker) in zip(file.rows, turns, strict=True):
        said = speaker.lower() if usual else role_of.get(speaker, speaker.lower())
        chats.setdefault(chat, []).append((said, str(row.get(content) or "")))
    orders = f" and {order!r} orders" if order else ""
    return Shape(
        words=f"a chat log; {conversation!r} groups{orders} its rows, "
        f"{role!r} says who speaks and {content!r} what",
        pairs=[
            (next((text for said, text in chat if said == "user"), ""), repr(chat)) for chat in chats.values()
        ],
        columns={"conversation": conversation, "order": order, "role": role, "content": content},
        renamed={new: old for new, old in (("role", role), ("content", content)) if new != old},
        source={"group_by": conversation, "order_by": order, "roles": None if usual else spoken},
        needs_system=all(said != "system" for chat in chats.values() for said, _ in chat),
        guessed=guessed,
        unknown=tuple(one for one in speakers if one not in role_of),
    )


def speaker_and_text(file: DataFile) -> tuple[str, str] | None:
    """Return the columns that say who speaks and what, even if none says in which conversation."""
    role = find_column(file.columns, names.ROLE)
    content = find_column(file.columns, names.CONTENT, role)
    return None if role is None or content is None else (role, content)


def _roles(speakers: Sequence[str], turns: Sequence[Pair]) -> tuple[dict[str, str], bool]:
    """Return the role of each known speaker, and whether it was guessed; of two, one is not the other."""
    known = {name: role for role, spelled in names.SPEAKERS.items() for name in spelled.split()}
    known |= {role: role for role in ROLES}
    role_of = {one: known[plain_name(one)] for one in speakers if plain_name(one) in known}
    rest = [one for one in speakers if one not in role_of]
    missing = {"user", "assistant"} - set(role_of.values())
    if len(rest) == 2 and len(missing) == 2:
        opening = Counter(dict(reversed(turns)).values())  # who speaks first in each conversation
        asks = max(rest, key=lambda one: opening[one])
        return role_of | {one: "user" if one == asks else "assistant" for one in rest}, True
    if len(rest) == 1 and len(missing) == 1:
        role_of[rest[0]] = missing.pop()
    return role_of, False


def find_preferences(file: DataFile) -> Shape | None:
    """Return which columns hold a question, a better and a worse answer; None if none do."""
    preferred = find_column(file.columns, names.PREFERRED)
    rejected = find_column(file.columns, names.REJECTED)
    if preferred is None or rejected is None:
        return None
    user = find_column(file.columns, names.USER, preferred, rejected)
    asks = _path(file, user) if user is not None else _path(file, preferred, (2,), "[0].content") or None
    better, worse = _path(file, preferred), _path(file, rejected)
    if asks is None or better is None or worse is None:
        return None
    answers = {"preferred": preferred, "non_preferred": rejected}
    columns = {"user": user or preferred, **answers}
    renamed = _renamed(columns if user else answers, file)
    paths = zip(columns.items(), (asks, better, worse), strict=True)
    return Shape(
        words=f"{columns['user']!r} asks, {preferred!r} is preferred to {rejected!r}",
        pairs=[(_at(row, columns["user"], asks), _at(row, preferred, better)) for row in file.rows],
        method="dpo",
        columns=columns,
        renamed=renamed,
        templates={key: f"{{{{ {_name(column, renamed)}{path} }}}}" for (key, column), path in paths},
    )


def _path(
    file: DataFile, column: str, lengths: Sequence[int] = (1, 2), inside: str = "[-1].content"
) -> str | None:
    """Return what follows a column's name in a template: "" for texts, `inside` for lists of one or two
    messages, a question first; None for anything else.
    """
    values = [row.get(column) for row in file.rows]
    if all(isinstance(value, str) for value in values):
        return ""
    return inside if all(_is_short_chat(value, lengths) for value in values) else None


def _is_short_chat(value: Any, lengths: Sequence[int]) -> bool:
    if not isinstance(value, list) or len(value) not in lengths:
        return False
    sound = all(isinstance(one, dict) and isinstance(one.get("content"), str) for one in value)
    return sound and (len(value) == 1 or value[0].get("role") == "user")


def _at(row: Row, column: str, path: str) -> str:
    value = row.get(column)
    if path and value is not None:
        value = value[0 if path.startswith("[0]") else -1].get("content")
    return "" if value is None else str(value)  # 0 is a value


def find_question_answer(file: DataFile, user: str | None, assistant: str | None) -> Shape | None:
    """Return the columns of question and answer, by name or content; None if there are none.

    UnclearError if a person must choose.
    """
    chosen = Columns(file.path, file.columns, file.rows).choose(user, assistant)
    if chosen is None:
        return None
    asks, answers = chosen.user, chosen.assistant
    # Alpaca's rows have a question in two columns
    alpaca = plain_name(asks) == "instruction" and user is None
    context = find_column(file.columns, "input", asks, answers) if alpaca else None
    context = context or _texts_called(file, names.CONTEXT, asks, answers)
    system = _texts_called(file, names.SYSTEM, asks, answers, context)
    return _question_answer(file, asks, answers, context, system, guessed=chosen.guessed)


def _texts_called(file: DataFile, wanted: str, *taken: str | None) -> str | None:
    """Return a column with one of these names whose values are texts, or empty."""
    found = find_column(file.columns, wanted, *taken)
    values = [row.get(found) for row in file.rows] if found is not None else []
    texts = all(value is None or isinstance(value, str) for value in values)
    return found if texts and any(map(_is_filled, values)) else None


def _is_filled(value: Any) -> bool:
    return value is not None and bool(str(value).strip())


def find_classified(file: DataFile) -> Shape | None:
    """Return which columns hold texts and their labels; None if the file is no such table."""
    found = find_labelled(file.columns, file.rows)
    if found is None or find_column(file.columns, names.ASSISTANT, found.label, *found.texts) is not None:
        return None
    shown = ", ".join(found.labels[:5]) + (", …" if len(found.labels) > 5 else "")
    texts = " and ".join(map(repr, found.texts))
    return replace(
        _question_answer(file, found.texts[0], found.label, *found.texts[1:]),
        words=f"{found.label!r} classifies {texts}: {shown}",
        labels=found.labels,
    )


def _question_answer(
    file: DataFile,
    user: str,
    assistant: str,
    context: str | None = None,
    system: str | None = None,
    *,
    guessed: bool = False,
) -> Shape:
    columns = {"user": user, "assistant": assistant}
    more = {name: column for name, column in (("context", context), ("system", system)) if column}
    renamed = _renamed({**columns, **more}, file)
    templates = {key: f"{{{{ {_name(column, renamed)} }}}}" for key, column in columns.items()}
    if system:
        templates = {"system": _system_template(file, system, _name(system, renamed)), **templates}
    if context:
        name = _name(context, renamed)
        templates["user"] += f"{{% if {name} is defined and {name} %}}\n\n{{{{ {name} }}}}{{% endif %}}"
    asked = (user, context) if context else (user,)
    filled = [_is_filled(row.get(user)) and _is_filled(row.get(assistant)) for row in file.rows]
    blank = None if all(filled) or not any(filled) else _filled_where(file, columns, renamed)
    where = f"({file.reading.where}) and ({blank})" if blank and file.reading.where else blank
    return Shape(
        words=_words(user, assistant, context, system),
        pairs=[
            ("\n\n".join(filter(None, (_at(row, one, "") for one in asked))), _at(row, assistant, ""))
            for row, usable in zip(file.rows, filled, strict=True)
            if usable or blank is None
        ],
        columns={**columns, **more},
        renamed=renamed,
        source={"where": where} if where else {},
        templates=templates,
        needs_system=system is None,
        guessed=guessed,
        notes=tuple(_left_out(file, filled)) if blank else (),
    )


def _words(user: str, assistant: str, context: str | None, system: str | None) -> str:
    """Return which columns are used, and for what."""
    if context and system:
        return f"{user!r} asks with {context!r}, {assistant!r} answers, {system!r} is the system prompt"
    if context:
        return f"{user!r} asks with {context!r}, {assistant!r} answers"
    if system:
        return f"{user!r} asks, {assistant!r} answers, {system!r} is the system prompt"
    return f"{user!r} asks, {assistant!r} answers"


def _system_template(file: DataFile, column: str, name: str) -> str:
    """Return the template of a system prompt that each row brings; rows without one get a usual one."""
    values = [row.get(column) for row in file.rows]
    if all(map(_is_filled, values)):
        return f"{{{{ {name} }}}}"
    usual = Counter(str(value) for value in values if _is_filled(value)).most_common(1)[0][0]
    if "'" in usual or "\\" in usual or "\n" in usual or len(usual) > LONGEST_DEFAULT:
        usual = "You are an assistant who answers briefly and clearly."
    return f"{{{{ {name} | default('{usual}', true) }}}}"


def _filled_where(file: DataFile, columns: Mapping[str, str], renamed: Mapping[str, str]) -> str:
    """Return the condition that leaves out rows whose question or answer is empty."""
    parts = []
    for column in columns.values():
        values = [row.get(column) for row in file.rows]
        if all(map(_is_filled, values)):
            continue
        name = _name(column, renamed)
        parts.append(
            f"{name} | default('', true) | trim != ''"
            if all(value is None or isinstance(value, str) for value in values)
            else f"{name} is defined and {name} is not none and {name} | string | trim != ''"
        )
    return " and ".join(parts)


def _left_out(file: DataFile, filled: Sequence[bool]) -> Iterator[str]:
    """Yield which rows the condition leaves out."""
    number = filled.count(False)
    yield f"{number} {'row' if number == 1 else 'rows'} without a question or an answer left out (`where`)."
    if file.lines:
        lines = [str(line) for line, one in zip(file.lines, filled, strict=True) if not one]
        yield f"Left out: lines {', '.join(lines[:MOST_LINES])}{', …' if len(lines) > MOST_LINES else ''}."


def _renamed(columns: Mapping[str, str], file: DataFile) -> dict[str, str]:
    """Return new and old name of the columns that a template can't name."""
    return {
        new if new not in file.columns else f"{new}_text": old
        for new, old in columns.items()
        # Python reads a full-width name in its normal spelling, so such a name gets a new one
        if unicodedata.normalize("NFKC", old) != old or not old.isidentifier() or old in JINJA_WORDS.split()
    }


def _name(column: str, renamed: Mapping[str, str]) -> str:
    return next((new for new, old in renamed.items() if old == column), column)
