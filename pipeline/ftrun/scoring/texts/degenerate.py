"""Answers that no metric should be trusted with: loops, broken characters, a language nobody asked for.

What is found becomes a warning beside the verdict, never a score. Only what is sure is found: short answers,
lists, tables and verses are left alone.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from ftrun.langid.asked_language import OF_LANGUAGES
from ftrun.langid.single import differ, sure_language
from ftrun.langid.tables import LANGUAGE_NAMES
from ftrun.scoring.types import Sample
from ftrun.text import one_line

FEWEST_TIMES = 4
SHORTEST_LOOP = 150  # characters; shorter ones fill no screen, and may be meant
LOOKED_AT = 20_000  # characters at the end
LONGEST = 40  # characters of the answer that a message quotes
MANY_TIMES, SHORTEST_SURE = 6, 60  # a loop that is repeated so often may be short
FEWEST_SENTENCES, SENTENCE, LOOPING_SHARE = 4, 8, 0.5
END_OF_SENTENCE = re.compile(r"(?<=[。．！？!?\n])|(?<=\.)\s")
BROKEN = re.compile(
    "\ufffd(?!\ufffd*\\s*$)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)  # a cut emoji ends in \ufffd


class Loop(NamedTuple):
    """How a text ends: from `start` on, the part `unit` again and again, `times` in full."""

    start: int
    unit: str
    times: int


def loop_of(text: str, *, shortest: int = SHORTEST_LOOP, fewest: int = FEWEST_TIMES) -> Loop | None:
    """Return the loop that the text ends in; None if its end does not repeat so long, so often."""
    tail = text.rstrip()[-LOOKED_AT:]
    turned = tail[::-1]
    borders, longest, period = [0] * len(turned), 0, 0
    for index in range(1, len(turned)):  # Knuth, Morris and Pratt's prefix function
        length = borders[index - 1]
        while length and turned[index] != turned[length]:
            length = borders[length - 1]
        borders[index] = length + (turned[index] == turned[length])
        size, every = index + 1, index + 1 - borders[index]
        if size >= max(shortest, fewest * every):
            longest, period = size, every
    if not longest:
        return None
    start = len(text.rstrip()) - longest
    return Loop(start, text[start : start + period], round(longest / period))


def degenerate(answer: str, expected_language: str | None = None) -> str | None:
    """Return in words what is wrong with an answer as a text; None if nothing surely is.

    `expected_language` is a language's name or ISO 639-1 code (`expected_language` below gives that of a
    sample); None: any will do.
    """
    loop = loop_of(answer) or loop_of(answer, shortest=SHORTEST_SURE, fewest=MANY_TIMES)
    if loop is not None and any(map(str.isalnum, loop.unit)):
        short = one_line(_from_its_start(loop.unit), LONGEST)
        return f"repeats “{short}” {loop.times} times"
    repeated = _repeated_sentence(answer)
    if repeated is not None:
        short = one_line(repeated, LONGEST)
        return f"says “{short}” again and again"
    broken = BROKEN.search(answer)
    if broken is not None:
        return f"has broken characters (U+{ord(broken[0]):04X})"
    if expected_language is None:
        return None
    asked, found = LANGUAGE_NAMES.get(expected_language, expected_language), sure_language(answer)
    if found is not None and differ(asked, found):
        return f"is in {found}, not in {asked}"
    return None


def expected_language(sample: Sample) -> str | None:
    """Return the name of the language that an answer should be in: the reference's; without one the
    question's, unless that asks for another one or has a system prompt in another. None where it isn't sure.
    """
    if sample.reference is not None:
        return sure_language(sample.reference)
    said = [one["content"] for one in sample.messages if isinstance(one.get("content"), str)]
    if not said or any(OF_LANGUAGES.search(text) for text in said):
        return None
    language = sure_language(said[-1])
    others = [sure_language(text) for text in said[:-1]]
    if language is None or any(one is not None and differ(language, one) for one in others):
        return None
    return language


def _repeated_sentence(text: str) -> str | None:
    """Return the sentence that makes up most of a text; None if there is none."""
    sentences = [one.strip() for one in END_OF_SENTENCE.split(text[-LOOKED_AT:])]
    counted = Counter(one for one in sentences if len(one) >= SENTENCE and any(map(str.isalnum, one)))
    if not counted:
        return None
    sentence, times = counted.most_common(1)[0]
    share = times * len(sentence) / max(1, sum(map(len, sentences)))
    return sentence if times >= FEWEST_SENTENCES and share >= LOOPING_SHARE else None


def _from_its_start(unit: str) -> str:
    """Return a part that is repeated as from the beginning of a sentence or word, if there is one within."""
    end = re.search("[。．！？!?.\n]", unit) or re.search(r"\s", unit)
    return unit if end is None else unit[end.end() :] + unit[: end.end()]
