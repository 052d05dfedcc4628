"""Balance: one answer, opening or topic that dominates, mixed system prompts, answers of unusual length."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Sequence

from ftrun.data.quality.corpus import ENDINGS, SampledExample, SampleFaults, normal, other_places, share
from ftrun.data.quality.intended import are_labels, is_explained, is_structured
from ftrun.data.quality.pii import excerpt
from ftrun.data.quality.similarity import grams, letters, likeness
from ftrun.langid.single import OF_WORD
from ftrun.protocol.faults import Fault

FEWEST = 20  # examples for a statement about shares
FEW_LABELS = 0.1  # different answers per example, up to which they are labels
SAME_ANSWER, SAME_LABEL, FEWEST_SAME = 0.1, 0.8, 4
OPENING, ALL = (0.3, 0.9), 0.95
FEWEST_OPENINGS = 10
TOPIC = 0.6
WORDS = re.compile(r"[A-Za-z]{4,}|[ァ-ヶー]{3,}|[一-龥]{2,}")
COMMON_WORDS = """
about able also another answer around because been before best better between both can't come could different
difference does doesn don't each example explain find following from give given good have help here into just
know like list long made make many mean means more most much must need often only other over people please
provide question should show some something sure take tell than that their them then there these they thing
things this time used using very want what what's when where which while will with word words work would write
your you're yours 何故 今日 方法 場合 必要 教え 質問 説明 回答 自分 一番 時間 人間 以下 文章
"""
COMMON = frozenset(COMMON_WORDS.split())
OUT_LONG, OUT_SHORT, LONG_ENOUGH = 16, 100, 500
OUTLIERS = 0.02
OF_A_TEXT = 4  # times as long as its question an answer may be, as a translation or a summary is
ASKED_LONG = re.compile(
    r"\b(?:essay|story|article|poem|song|blog|speech|report|script|chapter|letter|code|program|function|page|plan|guide"
    r"|detail\w*|long|full|complete|step[- ]by[- ]step|list (?:all|every)|all (?:the|of))\b|\d{3,} words"
    r"|詳し|長く|全部|すべて|全て|一覧|作文|物語|小説|記事|詩|歌詞|手紙|文章|脚本|コード|プログラム|手順|字(?:以上|程度)"
    r"|详细|文章|故事|小说|诗|全部|代码|步骤|자세|이야기|소설|시를|글을|전부|코드|подробн|рассказ|сочинени|стих|статью|код"
    r"|aufsatz|geschichte|gedicht|ausführlich|artikel|histoire|poème|rédige|détail|cuento|historia|poema|artículo|detalla",
    re.IGNORECASE,
)
ASKED_SHORT = re.compile(
    r"\b(?:one word|single word|short|brief\w*|yes or no|only|just)\b"
    r"|一言|ひとこと|短く|簡潔|だけ|のみ|一个字|只|简短",
    re.IGNORECASE,
)
WHOLE = re.compile(
    r"\d|[。．.!！?？…।॥؟)）」』\"”]$|^(?:yes|no|true|false|ok|none|はい|いいえ|是|否|네|아니요|да|нет|sí|oui|non|ja|nein)$",
    re.I,
)
NOTHING = re.compile(
    r"\W*(?:none|null|nil|nothing|n/?a|unknown|no|false|0|other|なし|無し|無|該当なし|特になし|不明|ない|无|無|没有|없음|нет"
    r"|aucun\w*|keine?\w*|ningun\w*|ninguno|nessun\w*|nada)?\W*",
    re.IGNORECASE,
)
AROUND, INSTRUCTION = 6, 0.6  # characters on each side of a word, and the share of questions with the same
VARIANT = 0.5  # likeness of system prompts
ONE_SYSTEM = 0.8


def same_answers(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if too many rows have the same answer; a label may be in most, but not nearly all."""
    if len(sample) < FEWEST:
        return
    answers = Counter(normal(one.turn.answer) for one in sample)
    most, times = answers.most_common(1)[0]
    labels = len(answers) <= FEW_LABELS * len(sample) or are_labels(sample)
    if times < FEWEST_SAME or times <= (SAME_LABEL if labels else SAME_ANSWER) * len(sample):
        return
    alike = [one for one in sample if normal(one.turn.answer) == most]
    if not labels and all(_is_given(one) for one in alike):
        return
    message = f"{share(times, len(sample))} answers are {excerpt(alike[0].turn.answer)}"
    yield alike, Fault("same_answer", message + other_places(alike))


def _is_given(one: SampledExample) -> bool:
    """Return whether the answer says that nothing was found, or is the one that the prompt prescribes."""
    answer = one.turn.answer.strip()
    return NOTHING.fullmatch(answer) is not None or answer.rstrip(ENDINGS) in one.turn.prompt


def openings(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if many answers begin alike; if nearly all do, or their prompts say why, it is meant."""
    if len(sample) < FEWEST:
        return
    said = [one for one in sample if not is_structured(one.turn.answer)]
    beginnings = Counter(filter(None, (_opening(one.turn.answer) for one in said)))
    if len(said) < FEWEST or not beginnings:
        return
    most, times = beginnings.most_common(1)[0]
    found = [one for one in said if _opening(one.turn.answer) == most]
    alike = OPENING[0] * len(sample) <= times <= OPENING[1] * len(sample)
    different = len({one.turn.answer for one in found})
    if not alike or times < FEWEST_OPENINGS or different <= times / 2:
        return
    others = [one for one in said if _opening(one.turn.answer) != most]
    if not is_explained(found, others) and not all(
        most.casefold() in one.turn.prompt.casefold() for one in found
    ):
        message = f"{share(times, len(sample))} answers begin with {excerpt(most)}"
        yield found, Fault("same_opening", message + other_places(found))


def _opening(answer: str) -> str:
    head = answer.lstrip()[:60]
    if head[:8].isascii():
        words = head.split()
        return " ".join(words[:2]) if len(words) > 2 else ""
    return head[:5] if len(head) > 8 else ""


def topics(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a note if a word is in most questions, but not in nearly all, and not in an instruction."""
    if len(sample) < 2 * FEWEST:
        return
    words: Counter[str] = Counter()
    for one in sample:
        found = {word.casefold() for word in WORDS.findall(one.turn.question[:2000])}
        words.update(found - COMMON - OF_WORD.keys())
    for word, times in sorted(words.items(), key=lambda one: (-one[1], one[0]))[:1]:
        if TOPIC * len(sample) <= times <= ALL * len(sample):
            having = [one for one in sample if word in one.turn.question[:2000].casefold()]
            if not _is_instruction(word, having):
                message = f"{share(times, len(sample))} questions have the word {excerpt(word)}"
                yield [], Fault("one_topic", message)


def _is_instruction(word: str, having: Sequence[SampledExample]) -> bool:
    """Return whether a word mostly stands between the same others, as in the words around what is asked."""
    around: Counter[str] = Counter()
    for one in having:
        question = one.turn.question.casefold()
        at = question.find(word)
        around[question[max(0, at - AROUND) : at + len(word) + AROUND]] += 1
    return around.most_common(1)[0][1] >= INSTRUCTION * len(having)


def lengths(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if a few answers are many times longer or shorter than usual, and nothing says why."""
    if len(sample) < FEWEST:
        return
    usual = statistics.median(len(one.turn.answer) for one in sample)
    longer = [one for one in sample if len(one.turn.answer) >= max(LONG_ENOUGH, OUT_LONG * usual)]
    shorter = [one for one in sample if len(one.turn.answer) * OUT_SHORT <= usual]
    for word, out, is_meant in (("longer", longer, _may_be_long), ("shorter", shorter, _may_be_short)):
        found = [one for one in out if not is_meant(one)]
        if len(found) > 0 and len(out) <= max(1, OUTLIERS * len(sample)):
            size = len(found[0].turn.answer)
            message = f"this answer has {size:,} characters, far {word} than the usual {usual:,.0f}"
            yield found, Fault("length_outlier", message + other_places(found))


def _may_be_long(one: SampledExample) -> bool:
    """Return whether a long answer was asked for, is code or a table, or is about a long text."""
    turn = one.turn
    asked = ASKED_LONG.search(turn.question[-1000:]) is not None
    return asked or is_structured(turn.answer) or len(turn.question) * OF_A_TEXT >= len(turn.answer)


def _may_be_short(one: SampledExample) -> bool:
    """Return whether a short answer is whole: a number, yes or no, or one with its end mark."""
    answer = one.turn.answer.strip()
    return bool(WHOLE.search(answer)) or ASKED_SHORT.search(one.turn.prompt[-2000:]) is not None


def systems(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if some rows have no system prompt, or quite another one than nearly all."""
    without = [one for one in sample if one.turn.system is None]
    if 0 < len(without) < len(sample):
        few, has, others = without, "no", "have one"
        if len(without) * 2 > len(sample):
            few, has, others = [one for one in sample if one.turn.system is not None], "a", "don't"
        message = f"{share(len(few), len(sample))} examples have {has} system prompt, the others {others}"
        yield few, Fault("system_mix", message + other_places(few))
        return
    prompts = Counter(one.turn.system for one in sample)
    if len(prompts) < 2 or len(sample) < FEWEST:
        return
    most, times = prompts.most_common(1)[0]
    if ONE_SYSTEM * len(sample) <= times:
        few = [one for one in sample if not _is_variant(str(one.turn.system), str(most))]
        if few:
            message = f"{share(len(few), len(sample))} examples have another system prompt than the rest: "
            yield few, Fault("system_mix", message + excerpt(str(few[0].turn.system)) + other_places(few))


def _is_variant(system: str, usual: str) -> bool:
    """Return whether a system prompt is the usual one with another name, date or number in it."""
    return system == usual or likeness(grams(letters(system)), grams(letters(usual))) >= VARIANT


CHECKS = (systems, same_answers, openings, topics, lengths)
