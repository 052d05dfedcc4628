"""Chats in their plainest form: each message a role and a content, both texts. Most rows are such.

What is told quickly of them is told once for all steps of the work on a row, from their roles and texts.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

OPENING = frozenset(("system", "developer"))
PLAIN_ROLES = OPENING | {"user", "assistant"}
SEQUENCES = 512  # of roles that are remembered


class Chat(NamedTuple):
    """The roles of a chat's messages, and what each says."""

    roles: tuple[str, ...]
    texts: list[str]


class Made(NamedTuple):
    """A training row, and the chat that it is if it is nothing else."""

    example: dict[str, Any]
    chat: Chat | None


def chat_of(row: Mapping[str, Any]) -> Chat | None:
    """Return the chat that a row is if it is nothing else; None says nothing."""
    return chat_in(row.get("messages")) if len(row) == 1 else None


def chat_in(messages: Any) -> Chat | None:
    """Return what messages say if each is a role and a content in words; None says nothing."""
    if type(messages) is not list or not messages:
        return None
    roles, texts = [], []
    for message in messages:
        if type(message) is not dict or len(message) != 2:
            return None
        role, content = message.get("role"), message.get("content")
        if type(role) is not str or type(content) is not str:
            return None
        roles.append(role)
        texts.append(content)
    return Chat(tuple(roles), texts)


def is_taught(chat: Chat) -> bool:
    """Return whether a flawless chat ends with an answer; False says nothing, `row_faults` looks closer."""
    return chat.roles[-1] == "assistant" and is_flawless(chat)


def is_flawless(chat: Chat) -> bool:
    """Return whether known roles stand in a possible order, and no text is blank."""
    return is_in_order(chat.roles) and all(chat.texts) and not any(map(str.isspace, chat.texts))


@functools.lru_cache(SEQUENCES)
def is_in_order(roles: tuple[str, ...]) -> bool:
    """Return whether all roles are known and system messages stand before the others."""
    behind = [role not in OPENING for role in roles]
    return PLAIN_ROLES.issuperset(roles) and behind == sorted(behind)
