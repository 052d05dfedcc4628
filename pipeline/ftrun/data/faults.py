"""Owns what a look at one example says: a code of the table, words, and the field that is meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Example = Mapping[str, Any]  # a whole training row: {"messages": [...], ...}


class Fault(NamedTuple):
    """What is wrong with an example. `field`: a path into it like messages[1].content; "" for all."""

    code: str
    message: str
    field: str = ""
