"""Whether a text asks: question marks of all scripts, and the words that questions begin or end with."""

from __future__ import annotations

import re

MARKS = re.compile(r"[?？؟՞፧⁇]|¿")
GREEK = re.compile("[α-ωά-ώ]", re.IGNORECASE)
OPENS = re.compile(
    r"\s*(?:what|how|why|when|where|who|which|whose|can|could|do|does|did|is|are|will|would|may|should|"
    r"qué|cómo|dónde|cuándo|quién|cuál|cuánto|como|onde|quando|qual|quem|quanto|comment|quand|où|qui|pourquoi|"
    r"quel|quelle|combien|est-ce|wie|was|wo|wann|wer|warum|welche|welcher|welches|kann|come|dove|chi|quale|"
    r"perché|hoe|wat|waar|wanneer|wie|waarom|jak|gdzie|kiedy|kto|czy|dlaczego|ile|как|где|когда|кто|почему|"
    r"что|сколько|можно|зачем|як|де|коли|хто|чому|скільки|чи|πώς|πού|πότε|ποιος|γιατί|هل|متى|أين|كيف|لماذا|"
    r"كم|מתי|איפה|איך|האם|למה|כמה|مה|آیا|چه|کجا|چگونه|چرا|क्या|कब|कहाँ|कैसे|कौन|क्यों|apa|apakah|bagaimana|"
    r"kapan|siapa|mengapa|berapa|hur|vad|var|när|vem|varför|kde|kdy|kdo|proč|hvordan|hvad|hvor|hvornår|miten|"
    r"missä|milloin|mitä|hol|mikor|hogyan|mennyi|cum|unde|când|как|къде|кога)(?!\w)",
    re.IGNORECASE,
)
ENDS = re.compile(
    r"(?:(?:です|ます|でしょう|ません|ました|でした|の|ない)か|かな|かしら|[吗嗎呢]|"
    r"(?:나요|까요|가요|니까|는지요|은지요|ㄴ지요|을까|ㄹ까)|"
    r"(?:ไหม|มั้ย|หรือไม่|อย่างไร|ยังไง|เมื่อไหร่|เมื่อไร|ที่ไหน|อะไร|เท่าไหร่|เท่าไร|กี่โมง|ใคร|ทำไม)(?:ครับ|คะ|ค่ะ)?|"
    r"(?<!\w)(?:mı|mi|mu|mü|không|gì|đâu|nào))[\s.。!！]*$"
)
INSIDE = re.compile(
    "什么|什麼|怎么|怎麼|如何|哪里|哪裡|哪儿|为什么|為什麼|多少|幾點|几点|어떻게|무엇|언제|어디|"
    "nerede|nasıl|ne zaman|ở đâu|thế nào"
)
WORDED = 0.6  # what a question without a question mark counts


def asks(text: str) -> float:
    """Return how much a text is a question: 1 with a question mark at its end, 0 if it is none."""
    end = text.rstrip(" \t\r\n\"'”’」』)）")
    if MARKS.search(end[-1:]) or "¿" in text:
        return 1.0
    if end.endswith(";") and GREEK.search(end):
        return 1.0
    if MARKS.search(text):
        return WORDED
    short = len(end) <= 120
    return WORDED if short and (OPENS.match(end) or ENDS.search(end) or INSIDE.search(end)) else 0.0
