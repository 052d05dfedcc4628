"""Plain chats: every message is a role and a content, both strings. Most rows are, and are checked fast."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from ftrun.protocol.spec import CHAT_ROLES, SYSTEM_ROLES

SEQUENCES = 512  # sequences of roles to remember


class Chat(NamedTuple):
    """The roles of a chat's messages, and their contents."""

    roles: tuple[str, ...]
    texts: list[str]


class TrainingRow(NamedTuple):
    """A row to train on, also as a plain chat if it is one."""

    example: dict[str, Any]
    chat: Chat | None


def chat_of(row: Mapping[str, Any]) -> Chat | None:
    """Return the row as a plain chat, or None if it is anything else."""
    return chat_in(row.get("messages")) if len(row) == 1 else None


def chat_in(messages: Any) -> Chat | None:
    """Return `messages` as a plain chat, or None if they are anything else."""
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


def is_sound(chat: Chat) -> bool:
    """Return whether a plain chat surely has no fault before its end; False means: check it in full."""
    return _is_in_order(chat.roles) and all(chat.texts) and not any(map(str.isspace, chat.texts))


def is_sound_example(chat: Chat) -> bool:
    """Return whether a plain chat surely has no fault and ends with an answer; False: check it in full."""
    return chat.roles[-1] == "assistant" and is_sound(chat)


@functools.lru_cache(SEQUENCES)
def _is_in_order(roles: tuple[str, ...]) -> bool:
    """Return whether all roles are known and system messages come before the others."""
    others = [role not in SYSTEM_ROLES for role in roles]
    return set(CHAT_ROLES).issuperset(roles) and others == sorted(others)
