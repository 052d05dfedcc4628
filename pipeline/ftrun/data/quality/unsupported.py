"""Numbers, names and addresses in answers that nothing in their prompts supports.

What stands in one answer alone can't be learned as a fact; what is learned is to make up the like.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ftrun.data.quality.excerpt import excerpt
from ftrun.data.quality.sample import Seen, places, share
from ftrun.protocol.faults import Fault

Said = Iterator[tuple[Seen | None, Fault]]
ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>\"'」』）)、。]+", re.ASCII)
NUMBER = re.compile(r"(?<![\w./:-])\d[\d,]*(?:\.\d+)?(?![\w/:.-]*\d)", re.ASCII)
YEAR = re.compile(r"(?:1\d|20)\d\d")
NAME = re.compile(
    r"(?<=[a-z,;] )(?:(?:Mr|Mrs|Ms|Dr|Prof)\.? )?[A-Z][a-z]+(?: [A-Z][a-z]+)+"
    r"|(?:Mr|Mrs|Ms|Dr|Prof)\.? [A-Z][a-z]+|[一-龥]{2,4}(?:さん|様|氏|先生|部長|課長|社長)"
)
NOBODY = re.compile(
    "(?:お|皆|奥|神|王|客|患者|相手|家族|友達|同僚|上司|医者|親|子|娘|息子|爺|婆|兄|姉|弟|妹|担当者|責任者|専門家)"
)
LOOKED_AT = 4000  # characters of an answer
FEWEST = 5  # rows
SPECIFIC = 4  # digits that say something: 46,145 has five, 124,000,000 has three


def unsupported(seen: Sequence[Seen]) -> Said:
    """Yield a fault for each kind if many answers have such details of their own."""
    for words, of, usual in DETAILS:
        by_row = [(one, set(of(one))) for one in seen]
        times = Counter(detail for _, all_of_row in by_row for detail in all_of_row)
        found = [
            (one, alone)
            for one, all_of_row in by_row
            if (alone := sorted(detail for detail in all_of_row if times[detail] == 1))
        ]
        if len(found) >= max(FEWEST, usual * len(seen)):
            first, details = found[0]
            message = (
                f"{share(len(found), len(seen))} answers have {words} that their prompts do not: "
                f"{excerpt(details[0])}{places([one for one, _ in found])}"
            )
            yield first, Fault("unsupported", message)


def _addresses(one: Seen) -> Iterator[str]:
    prompt = one.turn.prompt
    for found in ADDRESS.findall(one.turn.answer[:LOOKED_AT]):
        if found not in prompt:
            yield found


def _numbers(one: Seen) -> Iterator[str]:
    """Yield numbers that nobody has in mind by chance: no years, no round ones, none that was computed."""
    answer = one.turn.answer[:LOOKED_AT]
    if not any(character.isdigit() for character in answer):
        return
    prompt = one.turn.prompt
    if len(NUMBER.findall(prompt)) >= 2:
        return  # a result of these, perhaps
    for found in NUMBER.findall(ADDRESS.sub("", answer)):
        number = found.rstrip(",")
        digits = number.replace(",", "").replace(".", "").strip("0")
        if len(digits) >= SPECIFIC and not YEAR.fullmatch(number) and number not in prompt:
            yield number


def _names(one: Seen) -> Iterator[str]:
    prompt = one.turn.prompt.casefold()
    for name in NAME.findall(one.turn.answer[:LOOKED_AT]):
        if not NOBODY.search(name) and name.casefold() not in prompt:
            yield name


# what is looked for, and up to which share of the answers it is usual
DETAILS: tuple[tuple[str, Callable[[Seen], Iterator[str]], float], ...] = (
    ("addresses", _addresses, 0.1),
    ("numbers", _numbers, 0.25),
    ("names", _names, 0.2),
)
