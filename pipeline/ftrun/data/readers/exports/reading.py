"""Reading a chat export of any service, as messages or as the rows that conversations are made of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from ftrun.data.diagnostics.findings import FilePlace, UnusableFileError
from ftrun.data.readers.cells import Numbered
from ftrun.data.readers.csv_rows import read_table, row_of_record
from ftrun.data.readers.exports.line import read_line
from ftrun.data.readers.exports.recognising import SERVICES
from ftrun.data.readers.exports.services import discord, discord_row, slack, telegram
from ftrun.data.readers.exports.turns import Said, turns_of
from ftrun.data.readers.exports.whatsapp import read_whatsapp
from ftrun.data.readers.json_rows import elements, only_object
from ftrun.data.readers.looking.json_objects import list_at, position_at, skip_space
from ftrun.experiment.model import Source


def read_export(service: str, lines: Iterator[str], source: Source, place: FilePlace) -> Iterator[Numbered]:
    """Yield a row for each turn of the conversations that the file holds.

    UnusableFileError, with the problem added to `place`, if it holds no message of this service.
    """
    yield from turns_of(messages_of(service, lines, place), source)


def messages_of(service: str, lines: Iterator[str], place: FilePlace) -> Iterator[Said]:
    """Yield the messages that have a text; how many have none goes to `place` as a note."""
    found = without = 0
    for said in _messages(service, lines, place):
        if said is None:
            without += 1
        else:
            found += 1
            yield said
    if not found:
        title = SERVICES[service]
        place.add("chat_export", f"there is no message as {title} exports it", 1)
        raise UnusableFileError
    if without:
        words = f"entries without a text are left out: {without:,}"
        place.add("chat_left_out", words, None)


def _messages(service: str, lines: Iterator[str], place: FilePlace) -> Iterator[Said | None]:
    match service:
        case "line":
            return read_line(lines)
        case "whatsapp":
            return read_whatsapp(lines)
        case "telegram":
            return telegram(_with_chats(lines, place))
        case "slack":
            return slack(_objects(lines, place))
        case _:
            first = next((line for line in lines if line.strip()), "")
            rest = itertools.chain((first,), lines)
            is_json = first.lstrip("\ufeff \t")[:1] in ("{", "[")
            return discord(_objects(rest, place) if is_json else _table(rest, place))


def _table(lines: Iterator[str], place: FilePlace) -> Iterator[tuple[int, Mapping[str, Any]]]:
    header, records = read_table(lines, ",", place)
    for line, record in records:
        row = row_of_record(header, record, line, place)
        if row is not None:
            yield line, discord_row(row)


def _objects(lines: Iterator[str], place: FilePlace) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the messages of an array, or of the array `messages` of an object."""
    text = "".join(lines)
    start = skip_space(text, 0)
    if text.startswith("[", start):
        yield from elements(text, start, place)
    elif list_at(only_object(text, place), "messages"):
        yield from elements(text, position_at(text, start, ("messages",)), place, ())


def _with_chats(lines: Iterator[str], place: FilePlace) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield line, chat and message of an export of one chat, or of all of them."""
    text = "".join(lines)
    start = skip_space(text, 0)
    value = only_object(text, place)
    if list_at(value, "messages"):
        for line, message in elements(text, position_at(text, start, ("messages",)), place, ()):
            yield line, "", message
    elif list_at(value, "chats.list"):
        for line, chat in elements(text, position_at(text, start, ("chats", "list")), place, ()):
            messages = chat.get("messages")
            for message in messages if isinstance(messages, list) else ():
                yield line, str(line), message
