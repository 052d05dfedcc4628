"""The quick dataclass decorator gives what the standard one gives."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import field, replace

import pytest

from ftrun.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value with a field that takes no part in comparisons."""

    x: int
    y: tuple[int, ...] = ()
    place: str | None = field(default=None, compare=False, repr=False)


@dataclass(slots=True, kw_only=True)
class Box:
    """A value that changes."""

    items: list[int] = field(default_factory=list)


def test_values_are_compared_by_their_fields() -> None:
    """Equal fields are equal values with one hash; a field outside of comparisons changes nothing."""
    assert Point(x=1, place="a") == Point(x=1, place="b") != Point(x=2)
    assert len({Point(x=1, y=(2,)), Point(x=1, y=(2,))}) == 1
    assert Point(x=1) != Box() and Point(x=1) != 1
    assert Box(items=[1]) == Box(items=[1])
    with pytest.raises(TypeError, match="unhashable"):
        hash(Box())


def test_values_are_shown_and_copied_as_dataclasses() -> None:
    """Representation, replace, asdict, pickle and deepcopy work; unknown names are refused."""
    point = Point(x=1, place="p")
    assert repr(point) == "Point(x=1, y=())"
    assert replace(point, x=2) == Point(x=2)
    assert dataclasses.asdict(point) == {"x": 1, "y": (), "place": "p"}
    assert pickle.loads(pickle.dumps(point)) == copy.deepcopy(point) == point
    with pytest.raises(TypeError, match="z"):
        Point(x=1, z=2)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        point.z = 1  # type: ignore[attr-defined]
