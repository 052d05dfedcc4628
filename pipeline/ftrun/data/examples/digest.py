"""The digest of an example: equal for equal training rows, whatever the order of their keys."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ftrun.data.readers.json_rows import canonical_line
from ftrun.protocol.plain_chats import Chat, chat_of

SIZE = 16  # bytes


def example_digest(example: Mapping[str, Any]) -> bytes:
    """Return the digest of one example."""
    return DigestMaker()(example, chat_of(example))


class DigestMaker:
    """Makes digests of many examples, whose first message mostly is the same: it is hashed once."""

    def __init__(self) -> None:
        self._first: tuple[str, str] | None = None
        self._state = hashlib.blake2b(digest_size=SIZE)

    def __call__(self, example: Mapping[str, Any], chat: Chat | None) -> bytes:
        """Return the digest of an example, which is `chat` if there is one."""
        if chat is None or len(chat.texts) < 2:
            value = example["messages"] if example.keys() == {"messages"} else example
            return hashlib.blake2b(canonical_line(value), digest_size=SIZE).digest()
        first = chat.roles[0], chat.texts[0]
        if first != self._first:
            head = canonical_line(example["messages"][:1])
            self._first, self._state = first, hashlib.blake2b(head[:-1] + b",", digest_size=SIZE)
        state = self._state.copy()
        state.update(canonical_line(example["messages"][1:])[1:])
        return state.digest()
