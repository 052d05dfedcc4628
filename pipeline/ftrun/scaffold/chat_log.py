"""Recognising a chat log for `ftrun init`: one message a row, and columns that say whose and where.

Pure: works on a `Look`, reads nothing. What a run makes of such rows is grouping.py's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ftrun.protocol.spec import ROLES
from ftrun.scaffold.column_names import known, plain_name
from ftrun.scaffold.peek import Look

CONVERSATION_NAMES = (
    "conversationid conversation threadid thread sessionid session dialogueid dialogid dialogue chatid "
    "ticketid ticket 会話id 会話番号 会話 スレッドid スレッド セッションid セッション チケットid "
    "チケット番号 チケット 問い合わせid 問い合わせ番号 お問い合わせ番号 受付番号 相談番号 案件番号 案件id "
    "対話id ルームid トークid トークルームid threadts"
)
ROLE_NAMES = (
    "role speaker sendertype sender author from 発言者 話者 話し手 役割 ロール 送信者タイプ 送信者種別 "
    "送信者 発信者 投稿者 送信元 発話者 user username 送信者名"
)
CONTENT_NAMES = (
    "content text message body utterance 本文 内容 メッセージ 発言内容 発言 発話 テキスト メッセージ本文"
)
ORDER_NAMES = (
    "timestamp ts datetime createdat sentat date time turn turnid order seq sequence index 日時 送信日時 "
    "発言日時 投稿日時 作成日時 日付 時刻 時間 順番 順序 連番 発言番号"
)
SPEAKERS = {
    "user": "user human customer client visitor guest お客様 お客さま 客 顧客 ユーザー ユーザ 利用者 質問者 "
    "相談者 依頼者 問い合わせ者 会員",
    "assistant": "assistant bot agent operator ai gpt staff support account オペレーター オペレータ 担当者 "
    "担当 サポート サポート担当 ボット 店員 スタッフ 回答者 アシスタント 自社 窓口",
    "system": "system システム",
}
MOST_SPEAKERS = 20  # different ones; more are no roles but names


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLog:
    """Which columns of a log say what. `roles` is None where the log uses the API's own.

    `guessed`: who asks was told by who speaks first. `unknown`: speakers of whom nothing is known.
    """

    conversation: str
    order: str | None
    role: str
    content: str
    roles: Mapping[str, tuple[str, ...]] | None
    guessed: bool
    unknown: tuple[str, ...]


def find_log(look: Look) -> ChatLog | None:
    """Return how the file is a chat log, None if it is none."""
    plain = {name: plain_name(name) for name in look.columns}
    conversation = known(plain, CONVERSATION_NAMES)
    role = known(plain, ROLE_NAMES, conversation)
    content = known(plain, CONTENT_NAMES, conversation, role)
    if conversation is None or role is None or content is None:
        return None
    if {"role", "content"} & ({*look.columns} - {role, content}):
        return None  # what would be renamed has its name taken
    turns = [(str(row.get(conversation)), str(row.get(role) or "").strip()) for row in look.rows]
    speakers = list(dict.fromkeys(speaker for _, speaker in turns if speaker))
    if not 2 <= len(speakers) <= MOST_SPEAKERS or len(dict(turns)) == len(turns):
        return None
    roles, guessed = _roles(speakers, turns)
    return ChatLog(
        conversation=conversation,
        order=known(plain, ORDER_NAMES, conversation, role, content),
        role=role,
        content=content,
        roles=None if all(one.lower() in ROLES for one in speakers) else roles,
        guessed=guessed,
        unknown=tuple(one for one in speakers if not any(one in names for names in roles.values())),
    )


def speaker_and_text(look: Look) -> tuple[str, str] | None:
    """Return the columns that say who speaks and what, whether or not others say where; None without them."""
    plain = {name: plain_name(name) for name in look.columns}
    role = known(plain, ROLE_NAMES)
    content = known(plain, CONTENT_NAMES, role)
    return None if role is None or content is None else (role, content)


def conversations(look: Look, log: ChatLog) -> Iterator[list[tuple[str, str]]]:
    """Yield (role, text) of the messages of each conversation, in the order of the file."""
    role_of = {name: role for role, names in (log.roles or {}).items() for name in names}
    found: dict[str, list[tuple[str, str]]] = {}
    for row in look.rows:
        speaker = str(row.get(log.role) or "").strip()
        said = (role_of.get(speaker, speaker.lower()), str(row.get(log.content) or ""))
        found.setdefault(str(row.get(log.conversation)), []).append(said)
    yield from found.values()


def _roles(
    speakers: Sequence[str], turns: Sequence[tuple[str, str]]
) -> tuple[dict[str, tuple[str, ...]], bool]:
    """Return the speakers by role, and whether that was guessed; of two, one is who the other is not."""
    role_of = {one: role for one in speakers if (role := _role_of(one)) is not None}
    rest = [one for one in speakers if one not in role_of]
    guessed = False
    if rest and not ({"user", "assistant"} & set(role_of.values())) and len(rest) == 2:
        opening = Counter(dict(reversed(turns)).values())  # who speaks first in each conversation
        asks = max(rest, key=lambda one: opening[one])
        role_of |= {one: "user" if one == asks else "assistant" for one in rest}
        guessed = True
    elif len(rest) == 1:
        missing = {"user", "assistant"} - set(role_of.values())
        role_of |= {rest[0]: missing.pop()} if len(missing) == 1 else {}
    roles: dict[str, tuple[str, ...]] = {}
    for one, role in role_of.items():
        roles[role] = (*roles.get(role, ()), one)
    return roles, guessed


def _role_of(speaker: str) -> str | None:
    plain = plain_name(speaker)
    if plain in ROLES:
        return plain
    return next((role for role, names in SPEAKERS.items() if plain in names.split()), None)
