"""Balance: one answer, opening, topic or system prompt above all others, and answers out of measure."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ftrun.data.quality.excerpt import excerpt
from ftrun.data.quality.last_turn import normal
from ftrun.data.quality.sample import Seen, places, share
from ftrun.protocol.faults import Fault

Said = Iterator[tuple[Seen | None, Fault]]
FEWEST = 20  # examples; of fewer nothing is said about shares
FEW_LABELS = 0.1  # different answers an example, up to which they are labels
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


def same_answers(seen: Sequence[Seen]) -> Said:
    """Yield a fault if one answer stands in too many rows; of labels one may have most, not nearly all."""
    answers = Counter(normal(one.turn.answer) for one in seen)
    if len(seen) < FEWEST:
        return
    most, times = answers.most_common(1)[0]
    labels = len(answers) <= FEW_LABELS * len(seen)
    if times > (SAME_LABEL if labels else SAME_ANSWER) * len(seen):
        alike = [one for one in seen if normal(one.turn.answer) == most]
        message = f"{share(times, len(seen))} answers are {excerpt(alike[0].turn.answer)}"
        yield alike[0], Fault("same_answer", message + places(alike))


def openings(seen: Sequence[Seen]) -> Said:
    """Yield a fault if many answers begin alike, but not nearly all: that would be their form."""
    by_opening: Counter[str] = Counter()
    answers: dict[str, set[str]] = {}
    for one in seen:
        opening = _opening(one.turn.answer)
        by_opening[opening] += 1
        answers.setdefault(opening, set()).add(one.turn.answer)
    if len(seen) < FEWEST:
        return
    most, times = by_opening.most_common(1)[0]
    alike = OPENING[0] * len(seen) <= times <= OPENING[1] * len(seen)
    if most and alike and times >= FEWEST_OPENINGS and len(answers[most]) > times / 2:
        found = [one for one in seen if _opening(one.turn.answer) == most]
        message = f"{share(times, len(seen))} answers begin with {excerpt(most)}"
        yield found[0], Fault("same_opening", message + places(found))


def _opening(answer: str) -> str:
    head = answer.lstrip()[:60]
    if head[:8].isascii():
        words = head.split()
        return " ".join(words[:2]) if len(words) > 2 else ""
    return head[:5] if len(head) > 8 else ""


def topics(seen: Sequence[Seen]) -> Said:
    """Yield a note if a word stands in most questions, but not in nearly all."""
    if len(seen) < 2 * FEWEST:
        return
    words: Counter[str] = Counter()
    for one in seen:
        found = {word.casefold() for word in WORDS.findall(one.turn.question[:2000])}
        words.update(found - COMMON)
    for word, times in words.most_common(1):
        if TOPIC * len(seen) <= times <= ALL * len(seen):
            yield (
                None,
                Fault("one_topic", f"{share(times, len(seen))} questions have the word {excerpt(word)}"),
            )


def lengths(seen: Sequence[Seen]) -> Said:
    """Yield a fault for a few answers that are many times longer or shorter than the usual one."""
    if len(seen) < FEWEST:
        return
    usual = statistics.median(len(one.turn.answer) for one in seen)
    long: Callable[[int], bool] = lambda size: size >= max(LONG_ENOUGH, OUT_LONG * usual)  # noqa: E731
    short: Callable[[int], bool] = lambda size: size * OUT_SHORT <= usual  # noqa: E731
    for word, is_out in (("longer", long), ("shorter", short)):
        found = [one for one in seen if is_out(len(one.turn.answer))]
        if 0 < len(found) <= max(1, OUTLIERS * len(seen)):
            size = len(found[0].turn.answer)
            message = f"this answer has {size:,} characters, far {word} than the usual {usual:,.0f}"
            yield found[0], Fault("length_outlier", message + places(found))


def systems(seen: Sequence[Seen]) -> Said:
    """Yield a fault if some rows have no system prompt, or another one than nearly all."""
    prompts = Counter(one.turn.system for one in seen)
    without = [one for one in seen if one.turn.system is None]
    if without and len(without) < len(seen):
        few = (
            without if len(without) * 2 <= len(seen) else [one for one in seen if one.turn.system is not None]
        )
        has = "no" if few is without else "a"
        message = f"{share(len(few), len(seen))} examples have {has} system prompt, the others "
        message += ("have one" if few is without else "none") + places(few)
        yield few[0], Fault("system_mix", message)
        return
    if len(prompts) < 2:
        return
    most, times = prompts.most_common(1)[0]
    if ONE_SYSTEM * len(seen) <= times and len(seen) >= FEWEST:
        few = [one for one in seen if one.turn.system != most]
        message = f"{share(len(few), len(seen))} examples have another system prompt than the rest: "
        yield few[0], Fault("system_mix", message + excerpt(str(few[0].turn.system)) + places(few))
