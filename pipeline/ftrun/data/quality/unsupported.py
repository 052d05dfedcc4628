"""Numbers, names and addresses in answers that nothing in their prompts supports.

A detail that is in one answer only can't be learned as a fact; the model learns to make up such details.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ftrun.data.quality.corpus import SampledExample, SampleFaults, other_places, share
from ftrun.data.quality.pii import excerpt
from ftrun.protocol.faults import Fault

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
SPECIFIC = 4  # significant digits: 46,145 has five, 124,000,000 has three


def unsupported(sample: Sequence[SampledExample]) -> SampleFaults:
    """Yield a fault for each kind of detail if many answers have some that no other answer has."""
    for words, details_of, usual in DETAILS:
        by_row = [(one, set(details_of(one))) for one in sample]
        times = Counter(detail for _, details in by_row for detail in details)
        unique = ((row, sorted(one for one in details if times[one] == 1)) for row, details in by_row)
        found = [(row, details) for row, details in unique if details]
        if len(found) >= max(FEWEST, usual * len(sample)):
            first, details = found[0]
            message = (
                f"{share(len(found), len(sample))} answers have {words} that their prompts do not: "
                f"{excerpt(details[0])}{other_places([one for one, _ in found])}"
            )
            yield first, Fault("unsupported", message)


def _addresses(one: SampledExample) -> Iterator[str]:
    prompt = one.turn.prompt
    yield from (found for found in ADDRESS.findall(one.turn.answer[:LOOKED_AT]) if found not in prompt)


def _numbers(one: SampledExample) -> Iterator[str]:
    """Yield numbers that must come from somewhere: no years, no round ones, none that may be a result."""
    answer = one.turn.answer[:LOOKED_AT]
    if not any(character.isdigit() for character in answer):
        return
    prompt = one.turn.prompt
    if len(NUMBER.findall(prompt)) >= 2:
        return  # perhaps a result of these
    for found in NUMBER.findall(ADDRESS.sub("", answer)):
        number = found.rstrip(",")
        digits = number.replace(",", "").replace(".", "").strip("0")
        if len(digits) >= SPECIFIC and not YEAR.fullmatch(number) and number not in prompt:
            yield number


def _names(one: SampledExample) -> Iterator[str]:
    prompt = one.turn.prompt.casefold()
    for name in NAME.findall(one.turn.answer[:LOOKED_AT]):
        if not NOBODY.search(name) and name.casefold() not in prompt:
            yield name


# kinds of details, and the share of answers up to which they are usual
DETAILS: tuple[tuple[str, Callable[[SampledExample], Iterator[str]], float], ...] = (
    ("addresses", _addresses, 0.1),
    ("numbers", _numbers, 0.25),
    ("names", _names, 0.2),
)
