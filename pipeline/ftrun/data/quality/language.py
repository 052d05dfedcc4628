"""Which language texts are in, as far as their script tells, and which width their digits have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ftrun.data.quality.excerpt import excerpt
from ftrun.data.quality.sample import Seen, places
from ftrun.protocol.faults import Fault

Said = Iterator[tuple[Seen | None, Fault]]
SCRIPTS = (
    ("Japanese", re.compile("[ぁ-んァ-ヺ]")),
    ("Korean", re.compile("[가-힣]")),
    ("Han", re.compile("[一-龥]")),
    ("Cyrillic", re.compile("[А-яЁё]")),
    ("Arabic", re.compile("[\u0621-\u064a]")),
    ("Thai", re.compile("[\u0e01-\u0e2e]")),
    ("Latin", re.compile("[A-Za-zÀ-ɏ]")),
)
LOOKED_AT = 600  # characters
FEWEST_LETTERS, FEWEST_WORDS = 12, 3  # of Latin: names and terms stand in every language
LEAST_SHARE = 0.15  # of letters: a few Japanese words in an English text leave it English
CODE_SIGNS = ("`", "{", "}", ";", "=", "<", ">", "def ", "return", "http")  # one of them is in all code
CODE = re.compile(r"```|`|[{};=<>]{2}|\bdef |\breturn\b|https?://")
ASKED_FOR = re.compile(
    r"翻訳|訳し|英訳|和訳|[英日中韓仏独]語|[露西]語|英文|和文|ローマ字|単語|意味"
    r"|translat|\b(?:english|japanese|french|german|spanish|chinese|korean|russian|italian|latin|language)\b",
    re.IGNORECASE,
)
NO_WORD = re.compile(r"[A-Za-z0-9_-]{25,}")  # a key, a hash, an identifier
FEWEST, RARE = 10, 0.2
WIDE, HALF = re.compile("[０-９]{2,}"), re.compile("[0-9]{2,}")


def language(text: str) -> str | None:
    """Return the language or script of a text, None where it can't be told."""
    head = NO_WORD.sub("", text[:LOOKED_AT])
    if any(sign in head for sign in CODE_SIGNS) and CODE.search(head):
        return None
    counts = dict.fromkeys(dict(SCRIPTS), 0)
    for name, pattern in SCRIPTS[-1:] if head.isascii() else SCRIPTS:
        counts[name] = len(pattern.findall(head))
        if name == "Han" and _is_japanese(counts, len(head)):
            return "Japanese"  # however many letters of others follow
    if _is_japanese(counts, sum(counts.values())):
        return "Japanese"
    name = max(counts, key=lambda one: counts[one])
    if name == "Latin":
        return name if counts[name] >= FEWEST_LETTERS and len(text.split()) >= FEWEST_WORDS else None
    return name if counts[name] > 1 else None


def _is_japanese(counts: Mapping[str, int], letters: int) -> bool:
    return bool(counts["Japanese"]) and counts["Japanese"] + counts["Han"] >= LEAST_SHARE * letters


def languages(seen: Sequence[Seen]) -> Said:
    """Yield a fault for a few answers in another language than their questions."""
    pairs = [
        (one, asked, answered)
        for one in seen
        if (asked := language(one.turn.question)) and (answered := language(one.turn.answer))
    ]
    others = [
        (one, asked, answered)
        for one, asked, answered in pairs
        if not _alike(asked, answered) and not ASKED_FOR.search(one.turn.prompt[-2000:])
    ]
    if len(pairs) < FEWEST or not 0 < len(others) <= RARE * len(pairs):
        return  # where most are so, it is what shall be learned
    first, asked, answered = others[0]
    message = (
        f"{len(others):,} of {len(pairs):,} answers are in another language than their questions: "
        f"{asked} {excerpt(first.turn.question)}, {answered} {excerpt(first.turn.answer)}"
    )
    yield first, Fault("language_mix", message + places([one for one, _, _ in others]))


def _alike(asked: str, answered: str) -> bool:
    return asked == answered or {asked, answered} == {"Japanese", "Han"}


def widths(seen: Sequence[Seen]) -> Said:
    """Yield a fault if some answers have full-width digits and others half-width ones."""
    kinds = Counter(width for one in seen if (width := _width(one.turn.answer)))
    if len(kinds) < 2:
        return
    rare = min(kinds, key=lambda one: kinds[one])
    found = [one for one in seen if _width(one.turn.answer) == rare]
    first = found[0].turn.answer
    digits = (WIDE if rare == "full" else HALF).search(first)
    message = (
        f"answers differ: {kinds['full']:,} with full-width digits, {kinds['half']:,} with half-width ones: "
        f"{excerpt(first, digits.start() if digits else 0)}{places(found)}"
    )
    yield found[0], Fault("full_width", message)


def _width(text: str) -> str | None:
    wide, half = WIDE.search(text), HALF.search(text)
    return None if bool(wide) == bool(half) else "full" if wide else "half"
