"""The table of keys and values that are named in the design and that a later version brings."""

from __future__ import annotations

from typing import Any

import ftrun
from ftrun.experiment.nodes import KeyPath

HINT = f"This is ftrun {ftrun.__version__}; delete it here, or look for a newer ftrun."

# `*` stands for a target's name or an index
KEYS = frozenset(
    (
        "eval.prompts.*.tools",
        "eval.prompts.*.reference",
        "eval.test_set",
        "eval.scorers",
        "eval.gates",
    )
)
VALUES = {
    "targets.*.provider": ("ray",),
    "eval.models.*": ("few-shot", "retrieval", "checkpoints"),
}


def is_later_key(path: KeyPath) -> bool:
    """Return whether the key at `path` belongs to a later version."""
    return _pattern(path) in KEYS


def is_later_value(path: KeyPath, value: Any) -> bool:
    """Return whether `value` at `path` belongs to a later version."""
    return isinstance(value, str) and value in VALUES.get(_pattern(path), ())


def _pattern(path: KeyPath) -> str:
    named = path[:1] == ("targets",)
    return ".".join(
        "*" if isinstance(part, int) or (named and index == 1) else part for index, part in enumerate(path)
    )
