"""What looks like a flaw and is meant to be so: answers with a structure, labels, and kinds of rows.

Data often hold several tasks. Where what the prompt asks for tells which rows have a trait, the trait follows
from the task, and the model learns just that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ftrun.data.quality.corpus import SampledExample, normal

# JSON, XML, code, a table, a list, a heading: their form is what is learned
STRUCTURE = re.compile(
    r"\s*(?:[{\[<(`|#*•・\-–+>\d$￥¥€£=\\]|(?:SELECT|INSERT|UPDATE|DELETE|CREATE|WITH|def|class|import|from|function"
    r"|const|let|var|public|return|if|for|while|echo|sudo|git|print|npm|pip|curl)\b(?=.*[(){};=*\n]|\s+\S+\s+FROM))",
    re.DOTALL,
)
FIELD = re.compile(r"\s*[^\s:：]{1,20}(?: [^\s:：]{1,20})?\s?[:：]")  # Answer: …, Price: …
LONGEST_LABEL = 40  # characters
REPEATED = 0.8  # share of answers that occur again where they are labels
MOSTLY, HARDLY = 0.8, 0.1
QUESTION = re.compile(r"[?？؟;；か]\W*$")


def is_structured(answer: str) -> bool:
    """Return whether an answer is JSON, XML, code, a list, a number, or begins with the name of a field."""
    return bool(STRUCTURE.match(answer) or FIELD.match(answer) or "```" in answer)


def are_labels(sample: Sequence[SampledExample]) -> bool:
    """Return whether the answers are those of a classification: short ones that nearly all come again."""
    times = Counter(normal(one.turn.answer) for one in sample)
    again = sum(count for answer, count in times.items() if count > 1 and len(answer) <= LONGEST_LABEL)
    return again >= REPEATED * len(sample) and len(times) * 2 <= len(sample)


def is_explained(found: Sequence[SampledExample], others: Sequence[SampledExample]) -> bool:
    """Return whether the prompts tell `found` and `others` apart: by system prompt, or by how they begin."""
    if not found or not others:
        return False
    return any(
        _told_apart(list(map(key, found)), list(map(key, others))) for key in (_system, _opening, _end)
    )


def _told_apart(found: list[str], others: list[str]) -> bool:
    """Return whether most of `found` have one value that the `others` hardly have."""
    ((value, times),) = Counter(found).most_common(1)
    return bool(value) and times >= MOSTLY * len(found) and others.count(value) <= HARDLY * len(others)


def _system(one: SampledExample) -> str:
    return one.turn.system or ""


def _opening(one: SampledExample) -> str:
    """Return how an instruction begins: its first two words; a question asks for no form."""
    head = one.turn.question.strip()
    words = head[:80].casefold().split()
    return "" if QUESTION.search(head) else " ".join(words[:2]) if len(words) > 2 else head[:6]


def _end(one: SampledExample) -> str:
    """Return how an instruction ends, which in Japanese is where it asks."""
    text = one.turn.question.rstrip(" 。.!！\n")
    return "" if QUESTION.search(text) else text[-6:]
