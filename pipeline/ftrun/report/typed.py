"""Making dataclasses of JSON values by their annotations. Unknown keys are left out."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints


def typed(kind: Any, value: Any) -> Any:
    """Return `value` as an instance of the annotation `kind`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if value is None or is_dataclass(type(value)):
        return value
    if origin in (Union, types.UnionType):
        return typed(next(one for one in arguments if one is not type(None)), value)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        names = [one.name for one in fields(kind) if one.name in value]
        return kind(**{name: typed(hints[name], value[name]) for name in names})
    if origin is tuple:
        return tuple(typed(arguments[0], one) for one in value)
    if origin is Mapping:
        return {key: typed(arguments[1], one) for key, one in value.items()}
    return value
