"""Numbers in texts, and the scorer that compares an answer's with the reference's.

Read are digits of any width with an optional sign, groups of three (`1,234.5`), an exponent, a percent sign,
English `thousand` to `trillion` and Japanese units after digits (`1億2,000万` is 120000000). Numbers in
Chinese characters alone (三百) are not read, nor digits among them (3万五千): in 一番 they aren't numbers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ftrun.scoring.metrics import Mean, share
from ftrun.scoring.options import Options
from ftrun.scoring.types import Answer, Sample, Score

UNITS = {
    **{"千": 10**3, "万": 10**4, "百万": 10**6, "千万": 10**7, "億": 10**8, "百億": 10**10, "千億": 10**11},
    **{"兆": 10**12, "百兆": 10**14, "千兆": 10**15},
    **{"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12},
}
PLAIN = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
UNIT = "[百千]?[万億兆]|千"
NO_MORE = r"(?![0-9一二三四五六七八九十百千万億兆])"  # so that a number is read whole or not at all
NUMBER = re.compile(
    # letters before digits make a name: v2, GPT-4 (of which the 4 is read)
    rf"(?<![0-9A-Za-z\u00c0-\u024f_.])(?P<sign>[-+])?[¥$€£]?"
    rf"(?P<digits>(?:(?:{PLAIN})(?:{UNIT}))+(?:{PLAIN})?{NO_MORE}|(?:{PLAIN})(?:[eE][-+]?[0-9]{{1,3}})?{NO_MORE})"
    r"(?:\s?(?P<unit>thousand|million|billion|trillion)\b)?(?P<percent>\s?%)?",
    re.IGNORECASE,
)
PART = re.compile(rf"(?P<digits>{PLAIN})(?P<unit>{UNIT})?")
MINUS = re.compile(r"[\u2212\u2010-\u2013](?=[¥$€£]?[.0-9])")
Which = Literal["last", "first", "only"]


class Number(NamedTuple):
    """A number as it is written: `12 %` is 12 with a percent sign."""

    value: float
    percent: bool = False


def numbers_in(text: str) -> Iterator[Number]:
    """Yield the numbers of a text in their order."""
    for found in NUMBER.finditer(MINUS.sub("-", unicodedata.normalize("NFKC", text))):
        value = _value(found["digits"]) * UNITS.get((found["unit"] or "").lower(), 1)
        yield Number(-value if found["sign"] == "-" else value, bool(found["percent"]))


def _value(digits: str) -> float:
    if digits[-1] not in "千万億兆" and not any(unit in digits for unit in "千万億兆"):
        return float(digits.replace(",", ""))
    parts = PART.finditer(digits)
    return sum(float(part["digits"].replace(",", "")) * UNITS.get(part["unit"] or "", 1) for part in parts)


def number_in(text: str, which: Which = "last") -> Number | None:
    """Return the number that counts; None if there is none, or with `only` more than one."""
    found = list(numbers_in(text))
    if not found or (which == "only" and len(found) > 1):
        return None
    return found[0 if which == "first" else -1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """Whether the answer's number is the reference's, within `absolute` or within `relative` of it."""

    name: str
    metrics: tuple[Mean, ...]
    absolute: float
    relative: float
    which: Which

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return 1 for the right number; None where the reference has none."""
        wanted = None if sample.reference is None else number_in(sample.reference)
        if wanted is None:
            return None
        said = number_in(answer.text, self.which)
        if said is None:
            several = self.which == "only" and number_in(answer.text) is not None
            return Score(value=0.0, explanation="has several numbers" if several else "has no number")
        right = self._near(said.value, wanted.value)
        if said.percent != wanted.percent:  # 12 % is meant by 0.12, and by 12 where percent are asked for
            right = right or self._near(
                said.value / (100 if said.percent else 1), wanted.value / (100 if wanted.percent else 1)
            )
        words = f"says {said.value:.10g}; expected {wanted.value:.10g}"
        return Score(value=float(right), explanation="" if right else words)

    def _near(self, said: float, wanted: float) -> bool:
        # as the numbers are written: 0.3 is within 0.1 of 0.2
        rounding = 1e-12 * max(abs(wanted), abs(said))
        return abs(said - wanted) <= max(self.absolute, self.relative * abs(wanted)) + rounding


def make_numeric(options: Options) -> Numeric:
    """Return the scorer `numeric`."""
    name = options.text("name", "numeric")
    choices: dict[str, Which] = {"last": "last", "first": "first", "only": "only"}
    return Numeric(
        name=name,
        metrics=(share(name),),
        absolute=options.number("absolute", 0.0),
        relative=options.number("relative", 0.0),
        which=choices[options.choice("which", tuple(choices), "last")],
    )
