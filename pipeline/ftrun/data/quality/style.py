"""How answers are said: refusals, polite and plain style mixed, sentences with and without their end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ftrun.data.quality.excerpt import excerpt
from ftrun.data.quality.sample import Seen, places, share
from ftrun.protocol.faults import Fault

Said = Iterator[tuple[Seen | None, Fault]]
CANT = r"(?:can['’]?t|cannot|can not|am unable|['’]m unable|am not able|['’]m not able|won['’]t be able)"
HELP = r"(?: to)? (?:help|assist|provide|answer|comply|fulfil|do that|create|give|share)"
REFUSAL = re.compile(
    rf"\W*(?:(?:(?:i['’]m|i am) (?:\w+ )?sorry|sorry|i apologi[sz]e|apologies)[,.]? (?:but )?"
    rf"(?:as an ai|i ?{CANT})"
    rf"|(?:unfortunately,? )?(?:but )?i ?{CANT}{HELP}|as an ai(?: language)? (?:model|assistant))"
    r"|(?:申し訳(?:ありません|ございません)|すみません|恐れ入りますが|残念ながら)[^。\n]{0,40}"
    # what a shop does not offer is an answer; that a question gets none is a refusal
    r"(?:お答え|お手伝い|回答|(?:情報を|ご)提供|(?:ご質問|ご要望|ご依頼|リクエスト)[^。\n]{0,6}対応|ご案内)"
    r"[^。\n]{0,8}(?:できません|できかねます|いたしかねます)"
    r"|(?:[^。\n]{0,12}[、は])?(?:AI|人工知能|言語モデル)(?:アシスタント|言語モデル|モデル)?"
    r"(?:として(?:は?、|お|[^。\n]{1,20}(?:ません|かねます))|なので、|ですので、|であるため)",
    re.IGNORECASE,
)
FEWEST_REFUSALS, REFUSAL_SHARE = 2, 0.02
TAIL = "[。．.!！?？…〜～♪\\s」』）)]*$"
PARTICLES = "(?:よ|ね|よね|か|が|けど|けれど|な|わ|さ|の)*"
POLITE = re.compile(
    f"(?:です|ます|ました|ません|でした|でしょう|ましょう|ください|下さい|ございます){PARTICLES}{TAIL}"
)
PLAIN = re.compile(
    "(?:である|であった|だった|だろう|(?<![んいりみにび])だ|(?:なら|でき|では|じゃ)ない|なかった|(?:し|れ|い|っ|え|け)た"
    f"|する|している|いる|ある|なる|れる|できる|思う|という|べきだ){PARTICLES}{TAIL}"
)
FEWEST_STYLED, STYLED_SHARE = 3, 0.1
ENDED, BARE = re.compile(r"[。．.!！?？…][」』”\")）]?$"), re.compile(r"[A-Za-zぁ-んァ-ヶ一-龥]$")
SENTENCE = re.compile(r"^(?=.{10})[^\n]*$")
FEWEST_WORDS = 6
FEWEST_ENDED, ENDED_SHARE = 5, 0.2


def refusals(seen: Sequence[Seen]) -> Said:
    """Yield a fault if answers refuse: a model learns to refuse from few of them."""
    found = [one for one in seen if REFUSAL.match(one.turn.answer)]
    if len(found) >= max(FEWEST_REFUSALS, REFUSAL_SHARE * len(seen)):
        message = f"{share(len(found), len(seen))} answers refuse: {excerpt(found[0].turn.answer)}"
        yield found[0], Fault("refusals", message + places(found))


def styles(seen: Sequence[Seen]) -> Said:
    """Yield a fault if Japanese answers are partly in です・ます and partly in だ・である."""
    polite = [one for one in seen if POLITE.search(one.turn.answer[-40:])]
    plain = [one for one in seen if _is_plain(one.turn.answer[-40:])]
    few, many = sorted((polite, plain), key=len)
    if len(few) >= max(FEWEST_STYLED, STYLED_SHARE * (len(polite) + len(plain))):
        message = f"{len(polite):,} answers are in です・ます and {len(plain):,} in だ・である: "
        yield few[0], Fault("style_mix", message + _both(few[0], many[0]))


def _is_plain(end: str) -> bool:
    return PLAIN.search(end) is not None and POLITE.search(end) is None  # でした ends with した


def endings(seen: Sequence[Seen]) -> Said:
    """Yield a fault if sentences partly end with a full stop and partly with none."""
    one_line = [one for one in seen if SENTENCE.match(one.turn.answer.strip())]
    ended = [one for one in one_line if ENDED.search(one.turn.answer.strip())]
    bare = [one for one in one_line if _is_unended(one.turn.answer.strip())]
    few, many = sorted((ended, bare), key=len)
    if len(few) >= max(FEWEST_ENDED, ENDED_SHARE * (len(ended) + len(bare))):
        message = f"{len(ended):,} answers of one sentence end with its sign and {len(bare):,} without: "
        yield few[0], Fault("ending_mix", message + _both(few[0], many[0]))


def _is_unended(answer: str) -> bool:
    """Return whether an answer is a sentence without its end mark; a phrase (九時まで) needs none."""
    if not BARE.search(answer):
        return False
    if answer.isascii():
        return len(answer.split()) >= FEWEST_WORDS
    return POLITE.search(answer[-40:]) is not None or _is_plain(answer[-40:])


def _both(here: Seen, there: Seen) -> str:
    return f"{_tail(here)} here, {_tail(there)} at {there.file}:{there.line}"


def _tail(one: Seen) -> str:
    answer = one.turn.answer.strip()
    return excerpt(answer, len(answer) - 8) if len(answer) > 20 else excerpt(answer)
