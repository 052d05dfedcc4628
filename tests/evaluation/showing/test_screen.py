"""Text that fits a screen."""

from __future__ import annotations

from ftrun.evaluation.showing.screen import Screen


def test_words_wrap_between_wide_characters() -> None:
    """Japanese has no spaces, so a line ends after any character."""
    screen = Screen(width=20, terminal=True)
    assert list(screen.wrapped("あ" * 15, "  - ", "    ")) == ["  - " + "あ" * 8, "    " + "あ" * 7]
    assert list(screen.wrapped("one two three four five six", "", "  ")) == [
        "one two three four",
        "  five six",
    ]
