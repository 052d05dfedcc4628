"""Owns the dataclass decorator of what every start loads: the standard one's look, a third of its cost.

The standard decorator compiles six methods for each class: 1.3 ms a class, 60 ms a start. Here a class gets
only its `__init__`; comparison, hash and representation are shared. That nothing is assigned to a `frozen`
one is mypy's to hold, which sees the standard decorator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, slots: bool, kw_only: bool, frozen: bool = False) -> Callable[[type], type]:
        """Return the decorator; the options are the standard one's."""

        def decorate(cls: type) -> type:
            made = dataclasses.dataclass(slots=slots, kw_only=kw_only, eq=False, repr=False)(cls)
            made.__eq__, made.__repr__ = _equal, _shown
            made.__hash__ = _hash if frozen else None
            return made

        return decorate


def _compared(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, field.name) for field in dataclasses.fields(value) if field.compare)


def _equal(self: Any, other: object) -> bool:
    return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _shown(self: Any) -> str:
    names = [field.name for field in dataclasses.fields(self) if field.repr]
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"
