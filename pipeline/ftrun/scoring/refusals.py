"""Whether a text refuses to answer, by how it begins, in English and Japanese.

Saying that a shop doesn't offer something is an answer; not answering a question is a refusal.
"""

from __future__ import annotations

import re

CANT = r"(?:can['’]?t|cannot|can not|am unable|['’]m unable|am not able|['’]m not able|won['’]t be able)"
HELP = r"(?: to)? (?:help|assist|provide|answer|comply|fulfil|do that|create|give|share)"
REFUSAL = re.compile(
    rf"\W*(?:(?:(?:i['’]m|i am) (?:\w+ )?sorry|sorry|i apologi[sz]e|apologies)[,.]? (?:but )?"
    rf"(?:as an ai|i ?{CANT})"
    rf"|(?:unfortunately,? )?(?:but )?i ?{CANT}{HELP}|as an ai(?: language)? (?:model|assistant))"
    r"|(?:申し訳(?:ありません|ございません)|すみません|恐れ入りますが|残念ながら)[^。\n]{0,40}"
    r"(?:お答え|お手伝い|回答|(?:情報を|ご)提供|(?:ご質問|ご要望|ご依頼|リクエスト)[^。\n]{0,6}対応|ご案内)"
    r"[^。\n]{0,8}(?:できません|できかねます|いたしかねます)"
    r"|(?:[^。\n]{0,12}[、は])?(?:AI|人工知能|言語モデル)(?:アシスタント|言語モデル|モデル)?"
    r"(?:として(?:は?、|お|[^。\n]{1,20}(?:ません|かねます))|なので、|ですので、|であるため)",
    re.IGNORECASE,
)


def refusal_in(text: str) -> str | None:
    """Return the words that a text refuses with; None if it doesn't."""
    found = REFUSAL.match(text)
    return found[0].strip() if found else None
