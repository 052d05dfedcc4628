"""ftrun.engine.models.convert: the merges that a SentencePiece vocabulary implies."""

from __future__ import annotations

import pytest

from ftrun.engine.models.convert import merges_of

pytestmark = pytest.mark.local


def test_merges_come_in_the_order_of_what_they_make() -> None:
    """A token that stands earlier is made first; among the ways to one token the earlier parts come first."""
    tokens = ["a", "b", "c", "bc", "ab", "abc", "xyz"]
    assert list(merges_of(tokens)) == [("b", "c"), ("a", "b"), ("a", "bc"), ("ab", "c")]
