"""The language of `eval.gates`: read `SIDE OP SIDE [@N%]` into values. Evaluation decides if it holds."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, get_args

Operator = Literal[">", ">=", "<", "<="]
OPERATOR = re.compile(r"[<>=!≤≥＜＞＝]+")
LEVEL = re.compile(r"@\s*(\d+(?:\.\d+)?)\s*[%％]\s*\Z")
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
# the metric comes after the last dot; an offset has spaces around its sign, since names may hold + and -
NAMED = re.compile(
    rf"(?P<candidate>.+)\.(?P<metric>[^\W\d][^.\s]*)(?:\s+(?P<sign>[+-])\s+(?P<number>{NUMBER.pattern}))?"
)
GLUED = re.compile(rf".+\.[^\W\d]\w*\s*[+-]\s*{NUMBER.pattern}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a gate: a candidate's metric plus `number`, or `number` alone (both names are None)."""

    candidate: str | None
    metric: str | None
    number: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A condition that must hold. `level` is a percentage (95.0 for `@95%`): the whole interval of left minus
    right must satisfy it; None: the values alone.
    """

    text: str
    left: Side
    op: Operator
    right: Side
    level: float | None = None


def parse_gate(text: str) -> Gate:
    """Return the gate that `text` describes; ValueError says in words what is wrong with it."""
    body, level = _level(text)
    operators = OPERATOR.findall(body)
    if len(operators) != 1 or operators[0] not in get_args(Operator):
        raise ValueError(_operator_fault(operators))
    left, _, right = body.partition(operators[0])
    gate = Gate(text=text, left=_side(left), op=operators[0], right=_side(right), level=level)
    if gate.left.metric is None and gate.right.metric is None:
        raise ValueError("it compares two numbers: one side must be CANDIDATE.METRIC")
    return gate


def _level(text: str) -> tuple[str, float | None]:
    found = LEVEL.search(text)
    if found is None:
        if re.search(r"@[^.]*\Z", text):
            raise ValueError("the level is written at the end as a percentage: @95%")
        return text, None
    level = float(found[1])
    if not 50 <= level < 100:
        raise ValueError(f"the level must be at least 50% and below 100%, not {found[1]}%")
    return text[: found.start()], level


def _operator_fault(operators: list[str]) -> str:
    if not operators:
        return "it has no comparison: use >, >=, < or <="
    if len(operators) > 1:
        return "it has more than one comparison: write one gate for each"
    return f"{operators[0]} is not a comparison that gates know: use >, >=, < or <="


def _side(text: str) -> Side:
    side = text.strip()
    if not side:
        raise ValueError("a side of the comparison is empty")
    if NUMBER.fullmatch(side):
        return Side(candidate=None, metric=None, number=_number(side))
    named = NAMED.fullmatch(side)
    if named is not None:
        number = _number(f"{named['sign']}{named['number']}") if named["sign"] else 0.0
        return Side(candidate=named["candidate"], metric=named["metric"], number=number)
    raise ValueError(_side_fault(side))


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number


def _side_fault(side: str) -> str:
    if re.fullmatch(rf"(?:.*\s)?{NUMBER.pattern}\s*[%％]", side):
        return f"{side!r} has a percentage: write shares as numbers between 0 and 1, such as 0.8"
    if GLUED.fullmatch(side):
        return f"{side!r} needs spaces around its sign, such as tuned.chrf - 0.05"
    return f"{side!r} is neither a number nor CANDIDATE.METRIC, such as tuned.pass_rate"
