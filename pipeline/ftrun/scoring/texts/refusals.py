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
# more is a refusal in an answer to a question than in training data
SORRY = (
    r"(?:(?:(?:i['’]m|i am) (?:\w+ )?sorry|sorry|i apologi[sz]e|apologies|unfortunately)[,.]? ?(?:but )?)?"
)
TO_ANSWER = r"(?:help|assist|provide|answer|share|give|create|discuss|write|generate|comply|fulfil|do that)"
ALSO = re.compile(
    rf"\W*{SORRY}(?:i(?: will not|['’]ll not| won['’]t) {TO_ANSWER}\b"
    rf"|i(?:['’]m afraid i)? ?{CANT}(?: to)? {TO_ANSWER}\b"
    r"|i (?:must|have to) (?:\w+ )?decline"
    r"|i (?:(?:do not|don['’]t) (?:feel comfortable|have access to)|have no access to)"
    rf"|as an ai\b,? i ?(?:{CANT}|do not|don['’]t|am not))"
    r"|(?:(?:申し訳(?:ありません|ございません)|すみません|ごめんなさい|恐れ入ります|恐縮です)が?[、。]?\s*)?[^。\n]{0,25}?"
    r"(?:(?:お[答応]え|回答|お手伝い)[^。\n]{0,8}(?:できません|できかねます|しかねます|いたしかねます|控え)"
    r"|(?:質問|それ|その[^。\n]{1,8})には[^。\n]{0,3}(?:答えられません|対応できません)"
    r"|(?:情報|助言|アドバイス)[^。\n]{0,4}提供[^。\n]{0,6}(?:できません|できかねます))",
    re.IGNORECASE,
)


def refusal_in(answer: str) -> str | None:
    """Return the words that an answer refuses with; None if it doesn't."""
    text = answer.lstrip()
    found = REFUSAL.match(text) or ALSO.match(text)
    return found[0].strip() if found else None
