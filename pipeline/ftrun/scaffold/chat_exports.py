"""Proposing an experiment for a chat export: whom the model learns to be, how long a conversation is."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftrun.data.diagnostics.findings import FilePlace, Findings
from ftrun.data.readers.encodings import text_lines
from ftrun.data.readers.exports.reading import messages_of
from ftrun.data.readers.exports.recognising import SERVICES
from ftrun.data.readers.exports.turns import PAUSE, Said, turns_of
from ftrun.errors import DataError
from ftrun.experiment.model import Source
from ftrun.experiment.places import shown_path
from ftrun.scaffold import names
from ftrun.scaffold.data_file import DataFile, unusable
from ftrun.scaffold.names import plain_name
from ftrun.scaffold.reading import day_files
from ftrun.scaffold.shapes import Pair, Shape

FEW = 20  # conversations: fewer are cut after some turns
LENGTHS = (8, 4, 2)  # turns that a conversation may then have
OPENED = 0.9  # of the conversations, by one of two: then the other answers
SURE = 5  # conversations from which that can be told
MOST_NAMED = 5  # speakers in a message
Row = Mapping[str, Any]


class UnclearPersonaError(DataError):
    """Nothing says who in a chat export the model should learn to be: one of `speakers`."""

    speakers: tuple[str, ...] = ()


def export_shape(file: DataFile, persona: str | None) -> Shape:
    """Return the shape of a chat export; UnclearPersonaError if nothing says who the assistant is."""
    said = _messages(file)
    speakers = tuple(name for name, _ in Counter(one.speaker for one in said).most_common())
    if persona is not None and persona not in speakers:
        hint = f"In the export: {', '.join(speakers)}."
        raise unusable(file.path, f"nobody is called {persona!r}", "persona", hint)
    guess = None if persona is not None else _answers(said, speakers)
    who = persona or guess
    if who is None or len(speakers) < 2:
        raise _unclear(file, speakers)
    roles = {"user": tuple(one for one in speakers if one != who), "assistant": (who,)}
    turns, rows = _cut(said, roles)
    chats: dict[str, list[Pair]] = {}
    for row in rows:
        role = "assistant" if row["speaker"] == who else "user"
        chats.setdefault(str(row["conversation"]), []).append((role, str(row["content"])))
    learned = [chat for chat in chats.values() if any(role == "assistant" for role, _ in chat)]
    return Shape(
        words=f"a chat export of {SERVICES[file.format]}, in which {who!r} is the assistant",
        pairs=[(next((text for role, text in chat if role == "user"), ""), repr(chat)) for chat in learned],
        columns={"conversation": "conversation", "role": "speaker", "content": "content"},
        renamed={"role": "speaker"},
        source={"pause": PAUSE, "turns": turns, "group_by": "conversation", "roles": roles},
        guessed=guess is not None,
    )


def export_notes(file: DataFile, shape: Shape) -> Iterator[str]:
    """Yield as sentences who was taken for the assistant, and how the export is cut into conversations."""
    roles = shape.source["roles"]
    if shape.guessed:
        other, who, name = roles["user"][0], roles["assistant"][0], shlex.quote(shown_path(file.path))
        yield (
            f"The model learns to be {who!r}. To learn another one: ftrun init {name} --persona "
            f"{shlex.quote(other)} --force"
        )
    yield f"A silence of more than {PAUSE} begins a new conversation (`pause`)."
    if shape.source["turns"]:
        yield (
            f"The export has few pauses, so a conversation also ends after {shape.source['turns']} turns "
            "(`turns`)."
        )


def _messages(file: DataFile) -> list[Said]:
    place = FilePlace(shown_path(file.path), Findings())
    return [
        said
        for path in day_files(file.path) or [file.path]
        for said in messages_of(file.format, text_lines(path, file.encoding, place), place)
    ]


def _cut(said: Sequence[Said], roles: Mapping[str, tuple[str, ...]]) -> tuple[int | None, list[Row]]:
    """Return after how many turns a conversation ends so that there are some, and the rows of it."""
    for turns in (None, *LENGTHS):
        source = Source(base=Path(), key=(), roles=roles, turns=turns)
        rows = [row for _, row in turns_of(said, source)]
        if len({row["conversation"] for row in rows}) >= FEW:
            break
    return turns, list(rows)


def _answers(said: Sequence[Said], speakers: Sequence[str]) -> str | None:
    """Return who answers: the only bot, the only one called so, or that of two whom the other addresses."""
    bots = {one.speaker for one in said if one.bot}
    known = [one for one in speakers if plain_name(one) in names.SPEAKERS["assistant"].split()]
    if len(bots) == 1 or len(known) == 1:
        return next(iter(bots)) if len(bots) == 1 else known[0]
    if len(speakers) != 2:
        return None
    rows = [row for _, row in turns_of(said, Source(base=Path(), key=()))]
    opened = Counter({str(row["conversation"]): row["speaker"] for row in reversed(rows)}.values())
    opener, times = opened.most_common(1)[0]
    if opened.total() >= SURE and times >= OPENED * opened.total():
        return next(one for one in speakers if one != opener)
    return None


def _unclear(file: DataFile, speakers: tuple[str, ...]) -> DataError:
    if len(speakers) < 2:
        return unusable(file.path, "only one person writes in this chat", "persona", "Export a chat of two.")
    name = shlex.quote(shown_path(file.path))
    ways = " or ".join(f"`ftrun init {name} --persona {shlex.quote(one)}`" for one in speakers[:MOST_NAMED])
    message = f"nothing says who the model should learn to be: {', '.join(speakers[:MOST_NAMED])}"
    error = UnclearPersonaError(
        message, code="persona", hint=f"Say who it is: {ways}", file=shown_path(file.path)
    )
    error.speakers = speakers
    return error
