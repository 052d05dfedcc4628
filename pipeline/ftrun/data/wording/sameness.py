# ruff: noqa: E501 - long tables of words
"""Whether two texts say the same thing, by the words in which they differ.

Other punctuation, case, width, space, word order, filler words, a typo or an ending say nothing else. Another
number, name, quoted string or identifier, a negation or another content word does.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from ftrun.langid.single import OF_WORD


class Sameness(StrEnum):
    """How alike two texts are in what they say."""

    SAME = "same"
    REWORDED = "reworded"  # a long text with another ordinary word or two
    DIFFERENT = "different"


CUT = "\x1f"  # where the middle of a long text was left out
SPACELESS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
# vowel signs and the like, which Python doesn't count among the letters
MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963"
    "\u0980-\u0983\u09bc-\u09cd\u0a3c-\u0a4d\u0abc-\u0acd\u0b3c-\u0b4d\u0bbe-\u0bcd\u0c3e-\u0c4d\u0cbc-\u0ccd\u0d3e-\u0d4d"
)
LETTER = rf"(?:[^\W\d_{SPACELESS}]|[{MARKS}])"
TOKEN = re.compile(rf"[{SPACELESS}]|{LETTER}+(?:['’]{LETTER}+)*|\d+(?:[.,]\d+)*|[+*/=<>%^]")
HAS_SPACELESS = re.compile(f"[{SPACELESS}]")
NUMBER = re.compile(r"\d+")
ACCENTS = re.compile("[\u0300-\u036f]")
KANA = re.compile("[ぁ-ゖ]+")
SIGNS = frozenset("+*/=<>%^")
QUOTED = re.compile(
    r"[\"“”„«»「」『』`‘]([^\"“”„«»「」『』`’]{1,60})[\"“”„«»「」『』`’]|(?<!\w)'([^'\n]{1,60})'(?!\w)"
)
UPPER = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶĹĻŁŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŲŹŻŽА-ЯЁІЇЄҐΆΈ-ΏΑ-Ω"
NAME = re.compile(rf"(?<=[\w,;:)»”] )[{UPPER}][\w’']+|\b[{UPPER}]{{2,}}\b")
IDENTIFIER = re.compile(r"\b\w+[a-z][A-Z]\w*|\b\w*_\w*|\w+\.\w+|\w+(?=\()|`[^`]*`", re.ASCII)
# what is written in two ways; then what is only politeness
SPELLINGS = {
    "下さい": "ください", "出来": "でき", "分か": "わか", "子供": "子ども", "致し": "いたし", "頂": "いただ",
    "宜し": "よろし", "何処": "どこ", "沢山": "たくさん", "全て": "すべて", "無い": "ない", "良い": "よい",
    "いい": "よい", "事": "こと", "時": "とき", "為": "ため", "様": "よう", "綺麗": "きれい", "有難": "ありがと",
    "您": "你", "如何": "怎么", "怎样": "怎么", "怎麼": "怎么", "what's": "what is", "it's": "it is", "i'm": "i am",
    "can't": "cannot", "can not": "cannot", "don't": "do not", "doesn't": "does not", "isn't": "is not",
    "won't": "will not", "’": "'",
}  # fmt: skip
POLITE = re.compile(
    "(?:を|について|に?ついて)?(?:教えて|おしえて|知りたい|聞きたい)(?:ください|くださいませ|ほしい|いただけますか)?"
    "|お願い(?:します|いたします|致します)?|くださいませ|ください|でしょうか|ですか|ますか|んですか|のですか|なのか|です(?=$|。)|すみません(?:が)?"
    "|ちなみに|えっと|えーと|あの[、,]|请问|請問|一下|吗|嗎|呢|吧|啊|请|請|麻烦|谢谢"
    "|ครับ|ค่ะ|คะ|หน่อย|ช่วย"
)
FILLER_WORDS = """
a an the please pls plz kindly just simply actually really very quite so well hi hello hey thanks
thank um uh er like maybe perhaps can could would should will do does did is are was were be been am
i me my we us our you your it its this that these those there here also too then and ok okay now
again some any el la los las un una por favor me mi puedo puede podría es son está que y hola
gracias se lo le les du des une s'il te vous plaît svp je peux puis est sont c'est bonjour merci ma
mon mes der die das den dem des ein eine einen einem bitte mal ich kann können mein meine ist sind
denn doch hallo danke man il gli uno per favore posso può è ciao grazie mio mia si o os as um uma
por posso pode é são meu minha olá obrigado de het een alsjeblieft ik kan mijn is zijn пожалуйста а
и же ли бы вот ну мне можно это я мой моя здравствуйте привет παρακαλώ ο η το οι τα μου να είναι και
γεια بقا من فضلك هل يا لو سمحت कृपया है हैं क्या मुझे जी בבקשה האם אני את של 좀 혹시 그 저 제 lütfen mi mı
mu mü bir làm ơn ạ tolong
"""
FILLERS = frozenset(FILLER_WORDS.split())
NEGATION = re.compile(
    r"\b(?:not|cannot|no|never|none|neither|nor|without|un(?:able|available|like)|nicht|kein\w*|nie|ohne|ne|pas|jamais|sans"
    r"|aucune?|nunca|sin|jam[aá]s|ning[uú]n\w*|non|mai|senza|não|nem|sem|niet|geen|zonder|inte|utan|nie|bez|не|нет|без|ни"
    r"|δεν|μην|όχι|χωρίς|לא|אין|בלי|لا|ليس|لم|لن|بدون|غير|नहीं|मत|बिना|değil|yok|không|chưa|tidak|bukan|tanpa|안|못)\b"
    r"|\w+n't\b|ない|ません|なかっ|なく|ず(?:に|と)|不|没|沒|無|无|非|未|않|없|못하|ไม่|मत"
)
WORDS_OF_NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred
thousand million first second third fourth fifth sixth seventh eighth ninth tenth monday tuesday
wednesday thursday friday saturday sunday january february march april may june july august
september october november december
"""
NUMBER_WORDS = frozenset(WORDS_OF_NUMBERS.split())
MOST_TOKENS = 400  # of each end that are compared
AT_THE_CUT = 12  # tokens that a shifted cut may leave over
MOST_CHANGED = 0.25  # of the tokens: texts that differ in more aren't compared closely
LONG_ENOUGH, REWORDED, MOST_REWORDED = 12, 0.12, 2  # words of a text, share and number of others
TYPO_FROM, NAME_TYPO_FROM = 5, 7  # letters of a word in which one may be wrong
MOVED_WORDS, MOVED_SIGNS = 2, 4  # at least, of both parts
STEM, ENDING = 4, 3  # letters that words of one stem share, and those that may be left
KOREAN_ENDING = re.compile("[은는이가을를의에서로으와과도만요까나습니세주해줘죠지야라고]*")
HANGUL = re.compile("[가-힣]+")


def sameness(one: str, other: str) -> Sameness:
    """Return how alike two texts are in what they say."""
    if one == other:
        return Sameness.SAME
    mine, others = _plain(one), _plain(other)
    if mine == others:
        return Sameness.SAME
    if NUMBER.findall(mine) != NUMBER.findall(others) or len(NEGATION.findall(mine)) != len(
        NEGATION.findall(others)
    ):
        return Sameness.DIFFERENT
    ends = zip(_ends(mine), _ends(others), strict=False)
    words = Exact(*map(frozenset.union, exact_words(one), exact_words(other)))
    found = [_compared(here, there, words) for here, there in ends]
    if Sameness.DIFFERENT in found or mine.count(CUT) != others.count(CUT):
        return Sameness.DIFFERENT
    return Sameness.REWORDED if Sameness.REWORDED in found else Sameness.SAME


@lru_cache(maxsize=512)
def _plain(text: str) -> str:
    """Return a text in one case, width and spelling, without politeness."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    for here, there in SPELLINGS.items():
        if here in plain:
            plain = plain.replace(here, there)
    return POLITE.sub(" ", plain)


class Exact(NamedTuple):
    """The words of a text that mean something of their own: in one of `firm` every letter counts."""

    names: frozenset[str]
    firm: frozenset[str]


@lru_cache(maxsize=512)
def exact_words(text: str) -> Exact:
    """Return the names of a text, and its quoted strings and identifiers."""
    names = () if text.isupper() else NAME.findall(text)
    firm = (*(first or second for first, second in QUOTED.findall(text)), *IDENTIFIER.findall(text))
    return Exact(*(frozenset(TOKEN.findall(_plain(" ".join(parts)))) - FILLERS for parts in (names, firm)))


@lru_cache(maxsize=512)
def content_words(text: str) -> frozenset[str]:
    """Return what a text is about: its words without those that every text has."""
    tokens = TOKEN.findall(_plain(text))
    distinct = set(tokens)
    signs = {one for one in distinct if HAS_SPACELESS.match(one)}
    spaceless = "".join([one if one in signs else " " for one in tokens])
    pairs = {spaceless[at : at + 2] for at in range(len(spaceless) - 1)}
    pairs = {pair for pair in pairs if " " not in pair and not KANA.fullmatch(pair)}
    words = {_stem(one) for one in distinct - signs if not _is_filler(one)}
    return frozenset(pairs | words)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > STEM and word.endswith("s") else word


def _is_filler(word: str) -> bool:
    return word in FILLERS or word in OF_WORD


def _ends(plain: str) -> list[Sequence[str]]:
    """Return the tokens of a text, or those of both its ends."""
    parts = [TOKEN.findall(part) for part in plain.split(CUT)]
    if len(parts) == 1 and len(parts[0]) > 2 * MOST_TOKENS:
        return [parts[0][:MOST_TOKENS], parts[0][: -MOST_TOKENS - 1 : -1]]
    return [parts[0], *(part[::-1] for part in parts[1:])]


def _compared(mine: Sequence[str], others: Sequence[str], exact: Exact) -> Sameness:
    """Compare tokens from a sure end; at the other end a cut may have shifted."""
    start = next(
        (at for at, (a, b) in enumerate(zip(mine, others, strict=False)) if a != b),
        min(len(mine), len(others)),
    )
    end = 0
    while end < min(len(mine), len(others)) - start and mine[-1 - end] == others[-1 - end]:
        end += 1
    here, there = mine[start : len(mine) - end], others[start : len(others) - end]
    if _is_moved(here, there):
        return Sameness.SAME
    size = max(len(mine), len(others))
    changed = sum((Counter(here) - Counter(there)).values()) + sum((Counter(there) - Counter(here)).values())
    if changed > max(AT_THE_CUT, 2 * MOST_CHANGED * size):
        return Sameness.DIFFERENT
    content = 0
    for a, b in _changes(here, there):
        left, right = _content(a, b, exact)
        if any(word in exact.names or word in exact.firm or _is_exact(word) for word in (*left, *right)):
            return Sameness.DIFFERENT
        content += max(len(left), len(right))
    if not content:
        return Sameness.SAME
    few = content <= min(MOST_REWORDED, REWORDED * size) and size >= LONG_ENOUGH
    return Sameness.REWORDED if few else Sameness.DIFFERENT


def _is_moved(here: Sequence[str], there: Sequence[str]) -> bool:
    """Return whether a part moved to the other end, as "on Sundays" may; two things that swapped may not."""
    if len(here) != len(there) or Counter(here) != Counter(there):
        return False
    least = MOVED_SIGNS if any(map(HAS_SPACELESS.match, here)) else MOVED_WORDS
    cuts = range(least, len(here) - least + 1)
    return not here or any([*here[cut:], *here[:cut]] == [*there] for cut in cuts)


def _changes(here: Sequence[str], there: Sequence[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Yield the changed places; a single sign between two changes, where words aren't divided, is chance."""
    start: tuple[int, int] | None = None
    codes = difflib.SequenceMatcher(None, here, there, autojunk=False).get_opcodes()
    for tag, a, b, c, _ in codes:
        if tag != "equal":
            start = start or (a, c)
        elif start is not None and (b - a > 1 or not HAS_SPACELESS.match(here[a])):
            yield here[start[0] : a], there[start[1] : c]
            start = None
    if start is not None:
        yield here[start[0] :], there[start[1] :]


def _is_exact(token: str) -> bool:
    """Return whether another token in its place always means something else."""
    return bool(HAS_SPACELESS.match(token)) or token in NUMBER_WORDS or token in SIGNS or token[0].isdigit()


def _content(here: Sequence[str], there: Sequence[str], exact: Exact) -> tuple[list[str], list[str]]:
    """Return the tokens of a changed place that say something else, on both sides."""
    if any(map(HAS_SPACELESS.match, (*here, *there))):
        return _spaceless(list(here), list(there))
    left, right = ([one for one in side if one not in FILLERS] for side in (here, there))
    if "".join(left) == "".join(right):
        return [], []  # pass word, password
    for one in left[:]:
        match = next((other for other in right if _are_variants(one, other, exact)), None)
        if match is not None:
            left.remove(one)
            right.remove(match)
    return left, right


def _spaceless(here: list[str], there: list[str]) -> tuple[list[str], list[str]]:
    """Return what differs where words aren't divided: particles, endings and long vowels don't."""
    left, right = "".join(here).replace("ー", ""), "".join(there).replace("ー", "")
    if left == right or (
        _is_kana(left) and _is_kana(right) and len(left) + len(right) <= 4 and min(len(left), len(right)) < 2
    ):
        return [], []
    if (not left or not right) and set(left + right) <= set("的了是在有我你就也都很"):
        return [], []
    return list(left), list(right)


def _is_kana(text: str) -> bool:
    return not text or KANA.fullmatch(text) is not None


def _are_variants(one: str, other: str, exact: Exact) -> bool:
    """Return whether two words are one with a typo, or two forms of one."""
    if one in exact.firm or other in exact.firm:
        return False
    if _bare(one) == _bare(other) or _stem(one) == _stem(other):
        return True
    if one in exact.names or other in exact.names:
        return min(len(one), len(other)) >= NAME_TYPO_FROM and _is_typo(one, other)
    if one in NUMBER_WORDS or other in NUMBER_WORDS or one in SIGNS or other in SIGNS:
        return False
    shared = next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    rest = one[shared:], other[shared:]
    if HANGUL.fullmatch(one) and HANGUL.fullmatch(other):
        return shared >= 2 and all(map(KOREAN_ENDING.fullmatch, rest))
    if (
        shared >= STEM
        and max(map(len, rest)) <= ENDING
        and min(map(len, rest)) < ENDING
        and shared * 3 >= 2 * min(len(one), len(other))
    ):
        return not all(rest) or max(map(len, rest)) < ENDING
    return (min(len(one), len(other)) >= TYPO_FROM - 1 and _is_typo(one, other)) or _are_swapped(one, other)


def _bare(word: str) -> str:
    """Return a word without accents, which many people don't type."""
    return ACCENTS.sub("", unicodedata.normalize("NFD", word))


def _is_typo(one: str, other: str) -> bool:
    """Return whether one letter was left out, put in, changed, or swapped with the next."""
    if abs(len(one) - len(other)) > 1 or max(len(one), len(other)) < TYPO_FROM:
        return False
    if len(one) == len(other):
        wrong = [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        return (len(wrong) == 1 and wrong[0] > 0) or _are_swapped(one, other)
    long, short = (one, other) if len(one) > len(other) else (other, one)
    return any(long[:at] + long[at + 1 :] == short for at in range(len(long)))


def _are_swapped(one: str, other: str) -> bool:
    if len(one) != len(other) or len(one) < 3:
        return False
    wrong = [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    return (
        len(wrong) == 2
        and wrong[1] == wrong[0] + 1
        and one[wrong[0]] == other[wrong[1]]
        and one[wrong[1]] == other[wrong[0]]
    )
