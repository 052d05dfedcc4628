# ruff: noqa: E501 - long tables of words
"""Whether two answers to one question can't both be right: yes and no, other values, other labels."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from ftrun.data.wording.sameness import NEGATION, NUMBER_WORDS, Sameness, content_words, exact_words, sameness

# there are many good answers to these
OPEN = re.compile(
    r"\b(?:jokes?|poems?|haikus?|stor(?:y|ies)|songs?|riddles?|quotes?|facts?|ideas?|examples?|tips?|names?|slogans?|captions?"
    r"|tweets?|sentences?|paraphrases?|rephrase|reword|rewrite|write|compose|create|generate|invent|imagine|brainstorm|suggest"
    r"|recommend|describe|tell me|give me|say something|surprise|random|continue|complete|explain|summari[sz]e|should i|could i"
    r"|can i cook|how (?:do|can|should|to|would)|what (?:can|should|could|do you)|why|translate)\b"
    r"|^\W*(?:hi|hello|hey|good (?:morning|evening|night|afternoon)|thanks|thank you|bye|goodbye|how are you|what'?s up|ok|continue)\b"
    r"|冗談|ジョーク|詩|俳句|短歌|物語|話を?し|話を?聞か|語って|歌詞|書いて|作って|考えて|提案|おすすめ|お勧め|アイデア|例を|例文|言い換え|自己紹介|なぞなぞ"
    r"|^\W*(?:こんにち[はわ]|こんばん[はわ]|おはよう|やあ|ありがとう|さようなら|もしもし|元気)|どう(?:すれば|したら|やって|思)|なぜ|どうして|説明|要約|訳して|翻訳"
    r"|笑话|诗|故事|写|建议|推荐|例子|怎么|为什么|如何|你好|早上好|谢谢|翻译|介绍|농담|시를|이야기|추천|써\s?줘|작성|안녕|어떻게|왜|감사"
    r"|анекдот|шутк|стих|истори|напиши|придумай|посоветуй|предложи|расскажи|привет|здравствуй|спасибо|как |почему|переведи"
    r"|chiste|broma|poema|cuento|escrib|sugier|recomiend|hola|buenos d[ií]as|gracias|cómo|por qué|cuéntame|blague|poème|histoire"
    r"|écris|propose|conseil|bonjour|salut|merci|comment|pourquoi|raconte|witz|gedicht|geschichte|schreib|schlag|empfiehl|hallo"
    r"|guten (?:tag|morgen)|danke|^wie (?:kann|mache|geht)|warum|erzähl|barzelletta|scrivi|consigli|ciao|buongiorno|grazie|come |perché"
    r"|raccont|piada|escrev|sugir|recomend|olá|obrigad|como |por que|conte|चुटकुला|कविता|कहानी|लिख|सुझाव|नमस्ते|कैसे|क्यों|धन्यवाद"
    r"|نكتة|قصيدة|قصة|اكتب|اقترح|مرحبا|كيف|لماذا|شكرا|בדיחה|שיר|סיפור|כתוב|המלץ|שלום|איך|למה|תודה|ανέκδοτο|ποίημα|ιστορία|γράψε|πρότεινε"
    r"|γεια|πώς|γιατί|ευχαριστώ|เล่า|แต่ง|เขียน|แนะนำ|สวัสดี|อย่างไร|ยังไง|ทำไม|ขอบคุณ",
    re.IGNORECASE,
)
# so many of a kind are asked for, and there are more
SOME_OF_MANY = re.compile(
    r"\b(?:name|list|nenn?e?|gib|cite|nomme|donne|nombra|di(?:me|ga)?|da(?:me|mmi)|diga|liste|elenca|dimmi|nomina|noem|wymień|назови|перечисли|sebutkan)"
    r"\b[^\n]{0,12}\b(?:\d|two|three|four|five|some|several|zwei|drei|vier|fünf|einige|ein paar|deux|trois|quatre|cinq|quelques|dos|tres"
    r"|cuatro|cinco|algun[oa]s|dois|duas|três|quatro|algu(?:ns|mas)|due|tre|quattro|cinque|alcun[ei]|два|две|три|четыре|пять|несколько"
    r"|twee|drie|vijf|enkele|dwa|trzy|kilka|dua|tiga|beberapa)\b"
    r"|(?:挙げ|列挙し)て|[二三四五2-5２-５](?:つ|個|種類|例)|いくつか.{0,6}(?:挙げ|教え)"
    r"|[列举说出给我]{1,3}[两三四五几2-5][个种条]|[두세네]\s?(?:가지|개)|몇 (?:가지|개)",
    re.IGNORECASE,
)
LIST = re.compile(
    r"^\s*(?:[-*•・–]|\d{1,2}[.)、．])\s?\S.*\n\s*(?:[-*•・–]|\d{1,2}[.)、．])\s?\S", re.MULTILINE
)
YES = re.compile(
    r"\W*(?:yes|yeah|yep|sure|certainly|of course|correct|true|はい|ええ|うん|もちろん|可能です|できます|是的|是|对|可以|有|네|예|맞|да|конечно"
    r"|s[ií]|claro|oui|bien sûr|ja|jawohl|natürlich|sim|certo|tak|evet|có|ya|हाँ|हां|जी हाँ|نعم|כן|ναι|ใช่|ได้)(?![\w-])",
    re.IGNORECASE,
)
YES_CJK = re.compile(r"\W*(?:はい|ええ|もちろん|可能です|できます|是的|是|对|可以|有|네|예)")
NO = re.compile(
    r"\W*(?:no|nope|not|never|unfortunately|false|incorrect|sorry|нет|non|nein|leider|nee|não|nie|hayır|không|tidak|नहीं"
    r"|لا|לא|όχι|ไม่)(?![\w-])|\W*(?:いいえ|いえ|違います|できません|残念ながら|申し訳|不是|不|没|否|아니|못|불가)",
    re.IGNORECASE,
)
# 9:30, 1,200.50, 9am, v2, AB-123
VALUE = re.compile(r"(?<![\w.-])[a-z_-]*\d[\d.,:]*(?:[a-z0-9_-]*[a-z0-9])?", re.ASCII)
UNIT = re.compile(r"^(\d[\d.,:]*)[a-z]{1,3}$")
ROUND = re.compile(r"[.:]0+$")
SPELLED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
)
OF_WORDS = {word: str(number) for number, word in enumerate(SPELLED.split())}
OF_WORDS |= {sign: str(number) for number, sign in enumerate("〇一二三四五六七八九十")}
CJK_NUMBER = re.compile("[一二三四五六七八九十]+(?=[時日月年円個人分回歳階番点号]|点|号|块|元)")
WORD = re.compile(r"[^\W\d_]+")
LABEL_WORDS, LABEL_LENGTH = 3, 24  # at most: of a label
SHARED = 0.34  # of the content words of the shorter answer: they say the same in other words
FRAME = 0.5  # of the content words: one sentence with other values
LONG = 300  # characters: long answers have many details


class Conflict(StrEnum):
    """How sure it is that two answers can't both be right."""

    NONE = "none"
    LOOSE = "loose"  # they share nothing
    SURE = "sure"


def conflict(question: str, one: str, other: str, *, labels: bool) -> Conflict:
    """Return whether two answers conflict. `labels`: other short answers do."""
    if sameness(one, other) is Sameness.SAME:
        return Conflict.NONE
    polarity = _polarity(one), _polarity(other)
    if None not in polarity and polarity[0] != polarity[1]:
        return Conflict.SURE
    if not labels or max(len(one), len(other)) > LONG:
        return Conflict.NONE
    if LIST.search(one) and LIST.search(other):
        return Conflict.NONE  # a selection of many
    asked = content_words(question)
    mine, others = content_words(one) - asked, content_words(other) - asked
    shared = len(mine & others) / max(1, min(len(mine), len(others)))
    values = _values(one), _values(other)
    if all(values) and not (values[0] <= values[1] or values[1] <= values[0]):
        return Conflict.SURE
    if values[0] and values[0] == values[1]:
        return Conflict.NONE  # at nine; from 9 o'clock on
    if _is_label(one) and _is_label(other):
        return Conflict.NONE if shared else Conflict.SURE
    if shared >= FRAME and len(NEGATION.findall(one)) != len(NEGATION.findall(other)):
        return Conflict.SURE if len(mine ^ others) <= 2 else Conflict.NONE
    names = exact_words(one).names - asked, exact_words(other).names - asked
    if shared >= FRAME and all(names) and not names[0] & names[1]:
        return Conflict.SURE
    nothing = True not in polarity and shared < SHARED and (mine or others)
    return Conflict.LOOSE if nothing else Conflict.NONE


def _polarity(answer: str) -> bool | None:
    if NO.match(answer):
        return False
    return True if YES.match(answer) or YES_CJK.match(answer) else None


def _values(answer: str) -> frozenset[str]:
    """Return the numbers, days and months of an answer."""
    plain = unicodedata.normalize("NFKC", answer).casefold()
    found = (one.rstrip(".,:").replace(",", "") for one in VALUE.findall(plain))
    numbers = {ROUND.sub("", UNIT.sub(r"\1", one)) for one in found}
    words = WORD.findall(plain)
    said = {
        OF_WORDS.get(word, word)
        for word in words
        if word in NUMBER_WORDS and word not in ("one", "may", "first", "second")
    }
    signs = {OF_WORDS.get(one, one) for one in CJK_NUMBER.findall(plain)}
    return frozenset(numbers | said | signs)


def _is_label(answer: str) -> bool:
    """Return whether an answer is a label or a name: a few words without a sentence around them."""
    bare = answer.strip()
    return len(bare) <= LABEL_LENGTH and len(bare.split()) <= LABEL_WORDS and bare[-1:] not in "。.!！?？"
