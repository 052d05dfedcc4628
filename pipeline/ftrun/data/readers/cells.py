"""What a typed value of a workbook, a database or a columnar file becomes in a row.

Dates and exact decimals become text, so that a row reads the same whatever file it came from.
"""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from ftrun.data.diagnostics.findings import FilePlace, UnusableFileError
from ftrun.installation import install_extra

MIDNIGHT = datetime.time()
Numbered = tuple[int, dict[str, object]]  # line or row number, row
Needed = frozenset[str] | None  # columns that something uses; None: all of them


class ValueFault(Exception):
    """A value has no place in a row; the message says why."""


def plain(value: Any) -> Any:
    """Return `value` as JSON could hold it; ValueFault if it can't."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, decimal.Decimal):
        return _decimal(value)
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta)):
        return _time(value)
    if isinstance(value, Mapping):
        # a column of structs can't leave a key out, so one that is null there is one that is not there
        return {str(name): plain(one) for name, one in value.items() if one is not None}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise ValueFault("is binary data")
    raise ValueFault(f"is of the type {type(value).__name__}")


def usable(value: Any) -> Any:
    """Return `value` as JSON could hold it, None if it can't: for columns that nothing uses."""
    try:
        return plain(value)
    except ValueFault:
        return None


def _number(value: float) -> float | None:
    if math.isinf(value):
        raise ValueFault("is infinite")
    return None if math.isnan(value) else value  # NaN is how data frames write null


def _decimal(value: decimal.Decimal) -> int | str | None:
    if not value.is_finite():
        return None
    exponent = value.as_tuple().exponent
    # 12.50 keeps its zero; a whole number may be compared as one
    return int(value) if isinstance(exponent, int) and exponent >= 0 else str(value)


def _time(value: datetime.date | datetime.time | datetime.timedelta) -> str:
    if isinstance(value, datetime.datetime):
        at_midnight = value.time() == MIDNIGHT and value.tzinfo is None
        return value.date().isoformat() if at_midnight else value.isoformat(sep=" ")
    return str(value) if isinstance(value, datetime.timedelta) else value.isoformat()


def require(package: str, purpose: str, place: FilePlace) -> None:
    """Add the problem and raise UnusableFileError unless `package`, which `purpose` needs, is installed."""
    if find_spec(package) is None:
        message = f"{purpose} needs a package that is not installed: {package}"
        hint = f"Install the packages that read it: {install_extra('data')}"
        place.add("extra_missing", message, None, hint=hint, once=True)
        raise UnusableFileError
