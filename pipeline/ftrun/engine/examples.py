"""The engine's check of a training file: JSONL chats, read line by line.

Both the server (before a job is queued) and the backends read files through this. The engine refuses what it
would ignore, so it takes less than the protocol allows: no tools, no images, no rows of other methods. A
rehearsal trains on nothing, so it takes all rows that are sound by the protocol (`rows_of`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ftrun.engine.backends import REHEARSAL, Rejected
from ftrun.protocol.spec import (
    CHAT_KEYS,
    CHAT_ROLES,
    COMPLETION_KEYS,
    FEWEST_EXAMPLES,
    LEGACY_KEYS,
    PLAIN_KEYS,
    PREFERENCE_KEYS,
    Method,
)
from ftrun.protocol.training_rows import WARNINGS, asked_of, key_faults, messages_of, row_faults

Messages = list[dict[str, Any]]
MESSAGE_KEYS = PLAIN_KEYS | {"weight"}
TRAINED_ELSEWHERE = {  # keys of rows that other servers of the protocol train on, and what such rows are
    **dict.fromkeys(CHAT_KEYS[1:], "tools"),
    **dict.fromkeys(LEGACY_KEYS, "functions"),
    **dict.fromkeys(PREFERENCE_KEYS, "preferences (DPO)"),
    **dict.fromkeys(COMPLETION_KEYS, "prompts and completions"),
}


class _UnusableRow(Exception):
    """The row can't be trained on; the message says why, without the line."""


def rows_of(model: str, method: Method) -> Callable[[Any], Messages]:
    """Return what reads the rows of a job: it returns the messages of a row, their contents as strings."""
    return functools.partial(_rehearsed, method) if model == REHEARSAL else _messages


def read_examples(
    path: Path, *, param: str, row: Callable[[Any], Messages] | None = None
) -> Iterator[Messages]:
    """Yield each row's messages; raise Rejected with the line (from 1) of the first that can't be used."""
    for _, messages in enumerate_examples(path, param=param, row=row):
        yield messages


def enumerate_examples(
    path: Path, *, param: str, row: Callable[[Any], Messages] | None = None
) -> Iterator[tuple[int, Messages]]:
    """Yield (line, messages) as `read_examples` does; `row` reads a row, by default as training does."""
    read = row or _messages
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                messages = read(_decoded(line, "utf-8-sig" if number == 1 else "utf-8"))
            except _UnusableRow as error:
                raise Rejected(f"Line {number} of the {param}: {error}", param=param) from None
            yield number, messages


def count_examples(path: Path, *, param: str, row: Callable[[Any], Messages] | None = None) -> int:
    """Validate a whole file and return its number of examples; raise Rejected if there are too few."""
    count, last = 0, 0
    for line, _ in enumerate_examples(path, param=param, row=row):
        count, last = count + 1, line
    fewest = FEWEST_EXAMPLES if param == "training_file" else 1
    if count < fewest:
        raise Rejected(
            f"The {param} ends at line {last} with {count} example{'' if count == 1 else 's'}; "
            f"it needs at least {fewest}.",
            code="too_few_examples",
            param=param,
        )
    return count


def _decoded(line: bytes, encoding: str) -> Any:
    try:
        return json.loads(line.decode(encoding))
    except UnicodeDecodeError as error:
        raise _UnusableRow(f"it is not UTF-8 (byte {error.start + 1}).") from None
    except (ValueError, RecursionError) as error:
        raise _UnusableRow(f"it is not JSON: {error}.") from None


def _rehearsed(method: Method, row: Any) -> Messages:
    """Return the messages of a row of any method, tools and calls as text, if the protocol finds it sound."""
    if method == "supervised" and isinstance(row, dict) and not TRAINED_ELSEWHERE.keys() & row.keys():
        try:
            return _messages(row)
        except _UnusableRow:
            if not _is_rich(row):
                raise
    if not isinstance(row, dict) or (method == "reinforcement" and "messages" not in row):
        raise _UnusableRow('it must be a JSON object with a list "messages".')
    for fault in (*key_faults(row, method), *row_faults(row, method)):
        if fault.code not in WARNINGS or fault.code == "ignored_key":
            raise _UnusableRow(f"{fault.message}.")
    said = [{"role": one["role"], "content": _as_text(one)} for one in messages_of(row)]
    completion = [{"role": "user", "content": row[key]} for key in COMPLETION_KEYS if not said]
    tools = asked_of(row).get("tools") if said else None
    declared = [{"role": "system", "content": json.dumps(tools, ensure_ascii=False)}] if tools else []
    return [*declared, *said, *completion]


def _is_rich(row: dict[str, Any]) -> bool:
    """Return whether messages have what this engine can't train on: calls, results of tools, images."""
    found = [one for one in row.get("messages") or () if isinstance(one, dict)]
    return any(
        one.get("role") == "tool" or "tool_calls" in one or isinstance(one.get("content"), list)
        for one in found
    )


def _as_text(message: Mapping[str, Any]) -> str:
    """Return content and calls of a sound message as text, images as the place they are at."""
    content, calls = message.get("content"), message.get("tool_calls")
    texts = [content] if isinstance(content, str) else [_part_text(part) for part in content or ()]
    return "".join([*texts, *([json.dumps(calls, ensure_ascii=False)] if calls else [])])


def _part_text(part: Mapping[str, Any]) -> str:
    return str(part["text"]) if part["type"] == "text" else "[image]"


def _messages(row: Any) -> Messages:
    """Return the messages of a row, the content of each as one string."""
    for key in row if isinstance(row, dict) else ():
        if key in TRAINED_ELSEWHERE:
            raise _UnusableRow(
                f'it has "{key}", but this version of the engine does not train on {TRAINED_ELSEWHERE[key]}: '
                'it takes chats, rows with "messages" alone.'
            )
    if not isinstance(row, dict) or not isinstance(row.get("messages"), list):
        raise _UnusableRow('it must be a JSON object with a list "messages".')
    if unknown := sorted(row.keys() - {"messages"}):
        raise _UnusableRow(f'"{unknown[0]}" is not supported by this engine; only "messages" is.')
    messages: Messages = row["messages"]
    for index, message in enumerate(messages):
        _check_message(f"messages[{index}]", message)
    if not any(message["role"] == "assistant" and message.get("weight") != 0 for message in messages):
        raise _UnusableRow("there is no assistant message to learn from.")
    return messages


def _check_message(place: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise _UnusableRow(f"{place} must be an object.")
    if message.get("role") not in CHAT_ROLES:
        roles = ", ".join(CHAT_ROLES)
        raise _UnusableRow(f"{place}.role must be one of {roles}, not {message.get('role')!r}.")
    if unknown := sorted(message.keys() - MESSAGE_KEYS):
        raise _UnusableRow(f"{place}.{unknown[0]} is not supported by this engine.")
    content = _joined(message.get("content"))
    if not isinstance(content, str) or not _is_utf8(content):
        raise _UnusableRow(f"{place}.content must be a string, or parts of the type 'text'.")
    message["content"] = content
    weight = message.get("weight")
    if weight is not None and (message["role"] != "assistant" or weight not in (0, 1)):
        raise _UnusableRow(f"{place}.weight must be 0 or 1, and only on an assistant message.")


def _joined(content: Any) -> Any:
    """Return content in parts of text as one string, as the chat endpoint does; anything else unchanged."""
    if not isinstance(content, list) or not content:
        return content
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    whole = len(texts) == len(content) and all(isinstance(text, str) for text in texts)
    return "".join(map(str, texts)) if whole else content


def _is_utf8(content: str) -> bool:
    """Return whether `content` can be written as UTF-8: JSON may hold a lone surrogate."""
    return content.isascii() or not any("\ud800" <= character <= "\udfff" for character in content)
