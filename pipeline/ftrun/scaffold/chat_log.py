"""Recognising a chat log: one message per row, and columns that say from whom and in which conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ftrun.protocol.spec import ROLES
from ftrun.scaffold import names
from ftrun.scaffold.data_file import DataFile
from ftrun.scaffold.names import find_column, plain_name
from ftrun.scaffold.shapes import Pair, Row, Shape

MOST_SPEAKERS = 20  # different ones; more are names of people, not roles


def find_log(file: DataFile) -> Shape | None:
    """Return how the file is a chat log, None if it is not."""
    conversation = find_column(file.columns, names.CONVERSATION)
    role = find_column(file.columns, names.ROLE, conversation)
    content = find_column(file.columns, names.CONTENT, conversation, role)
    if conversation is None or role is None or content is None:
        return None
    if {"role", "content"} & ({*file.columns} - {role, content}):
        return None  # other columns have the names that these two must get
    turns = [(str(row.get(conversation)), _speaker(row, role)) for row in file.rows]
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
        pairs=[(_first_question(chat), repr(chat)) for chat in chats.values()],
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


def _speaker(row: Row, column: str) -> str:
    return str(row.get(column) or "").strip()


def _first_question(chat: Iterable[Pair]) -> str:
    return next((text for role, text in chat if role == "user"), "")


def _roles(speakers: Sequence[str], turns: Sequence[Pair]) -> tuple[dict[str, str], bool]:
    """Return the role of each known speaker, and whether it was guessed; of two, one is not the other."""
    role_of = {one: role for one in speakers if (role := _role_of(one)) is not None}
    rest = [one for one in speakers if one not in role_of]
    missing = {"user", "assistant"} - set(role_of.values())
    if len(rest) == 2 and len(missing) == 2:
        opening = Counter(dict(reversed(turns)).values())  # who speaks first in each conversation
        asks = max(rest, key=lambda one: opening[one])
        return role_of | {one: "user" if one == asks else "assistant" for one in rest}, True
    if len(rest) == 1 and len(missing) == 1:
        role_of[rest[0]] = missing.pop()
    return role_of, False


def _role_of(speaker: str) -> str | None:
    plain = plain_name(speaker)
    if plain in ROLES:
        return plain
    return next((role for role, known in names.SPEAKERS.items() if plain in known.split()), None)
