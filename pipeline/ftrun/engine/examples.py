"""The engine's check of a training file: JSONL chats, read line by line.

Both the server (before a job is queued) and the backends read files through this. The engine refuses what it
would ignore, so it takes less than the protocol allows: no tools, no images, no rows of other methods.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftrun.engine.backends import Rejected
from ftrun.protocol.spec import (
    CHAT_KEYS,
    CHAT_ROLES,
    COMPLETION_KEYS,
    FEWEST_EXAMPLES,
    LEGACY_KEYS,
    PLAIN_KEYS,
    PREFERENCE_KEYS,
)

MESSAGE_KEYS = PLAIN_KEYS | {"weight"}
TRAINED_ELSEWHERE = {  # keys of rows that other servers of the protocol train on, and what such rows are
    **dict.fromkeys(CHAT_KEYS[1:], "tools"),
    **dict.fromkeys(LEGACY_KEYS, "functions"),
    **dict.fromkeys(PREFERENCE_KEYS, "preferences (DPO)"),
    **dict.fromkeys(COMPLETION_KEYS, "prompts and completions"),
}


class _UnusableRow(Exception):
    """The row can't be trained on; the message says why, without the line."""


def read_examples(path: Path, *, param: str) -> Iterator[list[dict[str, Any]]]:
    """Yield each row's messages; raise Rejected with the line (from 1) of the first that can't be used."""
    for _, messages in enumerate_examples(path, param=param):
        yield messages


def enumerate_examples(path: Path, *, param: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield (line, messages) as `read_examples` does."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                messages = _messages(_decoded(line, "utf-8-sig" if number == 1 else "utf-8"))
            except _UnusableRow as error:
                raise Rejected(f"Line {number} of the {param}: {error}", param=param) from None
            yield number, messages


def count_examples(path: Path, *, param: str) -> int:
    """Validate a whole file and return its number of examples; raise Rejected if there are too few."""
    count, last = 0, 0
    for line, _ in enumerate_examples(path, param=param):
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


def _messages(row: Any) -> list[dict[str, Any]]:
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
    messages: list[dict[str, Any]] = row["messages"]
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
