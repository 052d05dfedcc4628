"""Foreign text: nothing in it is obeyed by a terminal or calculated by a spreadsheet."""

from __future__ import annotations

import io
import json
import sys

import pytest

from ftrun.redaction import safe_output
from ftrun.text import escape_controls, one_line, without_formulas


@pytest.mark.parametrize(
    "character", ["\x1b", "\x07", "\x08", "\r", "\x7f", "\x9b", "\u202e", "\u2066", "\ud800"]
)
def test_no_stream_sends_what_a_terminal_obeys(character: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Controls of both ranges, bidi marks and lone surrogates are shown, wherever a text comes from."""
    seen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", seen)
    with safe_output():
        print(f"job {character}[2Jx", json.dumps({"a": f"x{character}"}, ensure_ascii=False))
    assert character not in seen.getvalue()
    document = seen.getvalue().partition("x ")[2]
    assert json.loads(document) == {"a": f"x{character}"}


def test_what_is_harmless_stays() -> None:
    """Line breaks, tabs, emoji and every script are left as they are; so are our own bell and line wiping."""
    for text in ("にゃ\t👩‍💻\nعربي", "\r     \r", "\a"):
        assert escape_controls(text) == text


def test_no_cell_of_a_table_is_a_formula() -> None:
    """A cell that a spreadsheet would calculate becomes text; numbers, also negative ones, stay."""
    table = 'step,train_loss,"=HYPERLINK(""http://x"")"\n1,-0.5,@SUM(A1)\n2,+1e-3,-2+3|cmd\n'
    expected = 'step,train_loss,"\'=HYPERLINK(""http://x"")"\n1,-0.5,\'@SUM(A1)\n2,+1e-3,\'-2+3|cmd\n'
    assert without_formulas(table) == expected
    assert without_formulas("step,train_loss\r\n1,-0.5\r\n") == "step,train_loss\r\n1,-0.5\r\n"


def test_a_text_is_cut_to_one_line() -> None:
    """Lines become one, and only what is too long is cut, to exactly the length."""
    assert one_line(" a\n b\t c ", 5) == "a b c"
    assert one_line("あいうえおか", 5) == "あいうえ…"
