"""Reasons are words and values that people read."""

from __future__ import annotations

from ftrun.workflow.decision import changes, shortened


def test_small_values_are_shown_and_the_rest_is_named() -> None:
    """A seed says from what to what; hashes, lists and mappings only that they changed; new ones too."""
    old = shortened({"seed": 1, "job": "0f" * 16, "prompt": ["a", {}], "text": "x" * 100, "same": 1})
    new = shortened({"seed": 2, "job": "1f" * 16, "prompt": ["b", {}], "text": "y" * 100, "same": 1, "n": 3})
    expected = ("seed: 1 → 2", "job changed", "prompt changed", "text changed", "n changed")
    assert changes(old, new) == expected
