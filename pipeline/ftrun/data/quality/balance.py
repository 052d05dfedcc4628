"""Balance: one answer, opening or topic that dominates, mixed system prompts, answers of unusual length."""

from __future__ import annotations

import itertools
import re
import statistics
from collections import Counter
from collections.abc import Sequence

from ftrun.data.quality.corpus import SampledExample, SampleFaults, normal, other_places, share
from ftrun.data.quality.pii import excerpt
from ftrun.protocol.faults import Fault

FEWEST = 20  # examples for a statement about shares
FEW_LABELS = 0.1  # different answers per example, up to which they are labels
SAME_ANSWER, SAME_LABEL = 0.1, 0.8
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
ONE_SYSTEM = 0.8


def same_answers(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if too many rows have the same answer; a label may be in most, but not nearly all."""
    answers = Counter(normal(one.turn.answer) for one in sample)
    if len(sample) < FEWEST:
        return
    most, times = answers.most_common(1)[0]
    labels = len(answers) <= FEW_LABELS * len(sample)
    if times > (SAME_LABEL if labels else SAME_ANSWER) * len(sample):
        alike = [one for one in sample if normal(one.turn.answer) == most]
        message = f"{share(times, len(sample))} answers are {excerpt(alike[0].turn.answer)}"
        yield alike[0], Fault("same_answer", message + other_places(alike))


def openings(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if many answers begin alike; if nearly all do, it is their format."""
    if len(sample) < FEWEST:
        return
    most, times = Counter(_opening(one.turn.answer) for one in sample).most_common(1)[0]
    found = [one for one in sample if _opening(one.turn.answer) == most]
    alike = OPENING[0] * len(sample) <= times <= OPENING[1] * len(sample)
    different = len({one.turn.answer for one in found})
    if most and alike and times >= FEWEST_OPENINGS and different > times / 2:
        message = f"{share(times, len(sample))} answers begin with {excerpt(most)}"
        yield found[0], Fault("same_opening", message + other_places(found))


def _opening(answer: str) -> str:
    head = answer.lstrip()[:60]
    if head[:8].isascii():
        words = head.split()
        return " ".join(words[:2]) if len(words) > 2 else ""
    return head[:5] if len(head) > 8 else ""


def topics(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a note if a word is in most questions, but not in nearly all."""
    if len(sample) < 2 * FEWEST:
        return
    words: Counter[str] = Counter()
    for one in sample:
        found = {word.casefold() for word in WORDS.findall(one.turn.question[:2000])}
        words.update(found - COMMON)
    for word, times in words.most_common(1):
        if TOPIC * len(sample) <= times <= ALL * len(sample):
            message = f"{share(times, len(sample))} questions have the word {excerpt(word)}"
            yield None, Fault("one_topic", message)


def lengths(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if a few answers are many times longer or shorter than usual."""
    if len(sample) < FEWEST:
        return
    sizes = [len(one.turn.answer) for one in sample]
    usual = statistics.median(sizes)
    longer = [size >= max(LONG_ENOUGH, OUT_LONG * usual) for size in sizes]
    shorter = [size * OUT_SHORT <= usual for size in sizes]
    for word, is_out in (("longer", longer), ("shorter", shorter)):
        found = list(itertools.compress(sample, is_out))
        if 0 < len(found) <= max(1, OUTLIERS * len(sample)):
            size = len(found[0].turn.answer)
            message = f"this answer has {size:,} characters, far {word} than the usual {usual:,.0f}"
            yield found[0], Fault("length_outlier", message + other_places(found))


def systems(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault if some rows have no system prompt, or another one than nearly all."""
    without = [one for one in sample if one.turn.system is None]
    if 0 < len(without) < len(sample):
        few, has, others = without, "no", "have one"
        if len(without) * 2 > len(sample):
            few, has, others = [one for one in sample if one.turn.system is not None], "a", "don't"
        message = f"{share(len(few), len(sample))} examples have {has} system prompt, the others {others}"
        yield few[0], Fault("system_mix", message + other_places(few))
        return
    prompts = Counter(one.turn.system for one in sample)
    if len(prompts) < 2 or len(sample) < FEWEST:
        return
    most, times = prompts.most_common(1)[0]
    if ONE_SYSTEM * len(sample) <= times:
        few = [one for one in sample if one.turn.system != most]
        message = f"{share(len(few), len(sample))} examples have another system prompt than the rest: "
        yield few[0], Fault("system_mix", message + excerpt(str(few[0].turn.system)) + other_places(few))


CHECKS = (systems, same_answers, openings, topics, lengths)
