"""Owns what was left in texts by mistake: placeholders, stand-ins for an answer, space around a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ftrun.data.content.excerpt import excerpt
from ftrun.data.content.texts import Text
from ftrun.data.faults import Fault

CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
WORD = (
    r"(?:your|insert|enter)[ _-][A-Za-z _-]{1,24}"
    r"|(?:first|last|full|customer|client|user|company|product|recipient|sender)[ _-]?"
    r"(?:name|e-?mail|address|phone|number|id)|name|date|address|city|placeholder|tbd|todo|xxx+"
)
JAPANESE_WORD = (
    "お?名前|氏名|会社名|貴社名|商品名|日付|日時|住所|電話番号|担当者名?|顧客名|未定|要確認"
    "|ここに[^\\]】]{0,12}"
)
PLACEHOLDER = re.compile(
    r"(?=[{$\[<TFXLl〇○◯△✕＿])(?:\{\{[^{}\n]{1,60}\}\}|\{%[^{}\n]{1,60}%\}|\$\{[A-Za-z_][\w.]{0,40}\}"
    r"|(?<![\w{$])\{[a-z][a-z0-9_]{1,30}\}(?!\})"
    rf"|\[(?:(?i:{WORD})|{JAPANESE_WORD})\](?!\()"
    r"|<(?:(?i:your|insert|enter|placeholder|customer|company)[ _-]?[A-Za-z _-]{0,24}|NAME|DATE|TODO)>"
    r"|\b(?:TODO|FIXME|TBD)\b(?=\s*[:：(]|\s*$)|\bXXXX+\b|(?i:\blorem ipsum\b)"
    "|[〇○◯]{2,}|[△✕]{2,}|＿{3,})"
)
BLANKS = frozenset((
    "", "-", "--", "---", "—", "–", "ー", "…", "...", ".", "。", "?", "？", "/", "x", "n/a", "na", "nan",
    "nil", "null", "none", "undefined", "#n/a", "#value!", "#ref!", "#name?", "#div/0!", "[]", "{}", "なし",
    "無し", "無回答", "未回答", "未入力", "空", "空欄", "該当なし", "特になし", "同上", "〃",
))  # fmt: skip
LONGEST_BLANK = 12


def left_over(text: Text) -> Iterator[Fault]:
    """Yield the placeholders of a text that stand outside of code."""
    bare = CODE.sub(lambda code: " " * len(code[0]), text.text) if "`" in text.text else text.text
    found = PLACEHOLDER.search(bare)
    if found:
        message = f"a placeholder was left: {excerpt(text.text, found.start())}"
        yield Fault("placeholder", message, text.field)


def needs_look(text: str) -> bool:
    """Tell quickly whether `blank` or `spaced` could find something in a text."""
    return text != text.strip() or (len(text) <= LONGEST_BLANK and text.casefold() in BLANKS)


def is_blank(answer: str) -> bool:
    """Tell whether an answer is no answer but a stand-in for one, such as N/A or a dash."""
    return len(answer) <= LONGEST_BLANK and answer.strip().casefold() in BLANKS


def blank(text: Text) -> Iterator[Fault]:
    """Yield an assistant's text that only stands in for an answer."""
    if text.role == "assistant" and text.field.endswith("content") and is_blank(text.text):
        yield Fault("blank_answer", f"“{text.text.strip()}” is no answer", text.field)


def spaced(text: Text) -> Iterator[Fault]:
    """Yield a text that begins or ends with space or line breaks."""
    if text.text != text.text.strip() and text.text.strip():
        front = text.text[:1].isspace()
        message = f"space {'before' if front else 'after'} the text {excerpt(text.text.strip())}"
        yield Fault("outer_space", message, text.field)
