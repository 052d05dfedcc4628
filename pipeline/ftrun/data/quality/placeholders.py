"""What was left in texts by mistake: placeholders, substitutes for an answer, space around a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ftrun.data.quality.pii import excerpt
from ftrun.protocol.faults import Fault
from ftrun.protocol.spec import COMPLETION_KEYS
from ftrun.protocol.texts import Text, is_answer

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
# a line of a program: braces in it are code, and TODO is a comment of its author
PROGRAM = re.compile(
    r"^[ \t]*(?:def \w+\(|class \w+[(:{]|import [\w{]|from [\w.]+ import|#!/|#include|@\w+[\w.]*\("
    r"|function \w*\(|(?:const|let|var|public|private|static|func|fn) \w|return\b[^.]*;?$"
    r"|print\(|console\.|echo |package \w"
    r"|SELECT .* FROM |INSERT INTO |UPDATE \w+ SET |CREATE TABLE |\w[\w.\[\]]* ?=(?!=) ?\S.*[;)\]}\"'\w]$)"
    r"|;$|(?:\)|=>) ?\{$",
    re.MULTILINE,
)
IN_PROGRAMS = ("{", "$", "TODO", "FIXME", "TBD", "XXXX")
# words in corner brackets are labels of forms and buttons, unless they are part of a sentence
LABEL = "(?!欄|を?(?:ご?入力|ご?記入|選択|クリック|押)|に(?:ご?入力|ご?記入)|ボタン|タブ|フィールド|項目)"
PLACEHOLDER = re.compile(
    r"(?=[{$\[<TFXLl〇○◯△✕＿［【])(?:\{\{[^{}\n]{1,60}\}\}|\{%[^{}\n]{1,60}%\}|\$\{[A-Za-z_][\w.]{0,40}\}"
    r"|(?<![\w{$])\{[a-z][a-z0-9_]{1,30}\}(?!\})"
    rf"|\[(?:(?i:{WORD})|{JAPANESE_WORD})\](?!\(){LABEL}"
    rf"|[［【](?:{JAPANESE_WORD})[］】](?=様|さん|殿|御中|の(?!欄|項目)|が|は(?!必須|任意)|です|と申し|、)"
    r"|<(?:(?i:your|insert|enter|placeholder|customer|company)[ _-]?[A-Za-z _-]{0,24}|NAME|DATE|TODO)>"
    r"|\b(?:TODO|FIXME|TBD)\b(?=\s*[:：(]|\s*$)|\bXXXX+\b|(?i:\blorem ipsum\b)"
    "|[〇○◯]{2,}|[△✕]{2,}|＿{3,})"
)
BRACKETED = re.compile(f"[［【](?:{JAPANESE_WORD})[］】]")  # the brackets alone are usual
BLANKS = frozenset((
    "", "-", "--", "---", "—", "–", "ー", "…", "...", ".", "。", "?", "？", "/", "x", "n/a", "na", "nan",
    "nil", "null", "none", "undefined", "#n/a", "#value!", "#ref!", "#name?", "#div/0!", "[]", "{}", "なし",
    "無し", "無回答", "未回答", "未入力", "空", "空欄", "該当なし", "特になし", "同上", "〃",
))  # fmt: skip
LONGEST_BLANK = 12
# the blanks that are values where a value was asked for
VALUES = BLANKS & {"なし", "無し", "該当なし", "特になし", "none", "null", "nil", "n/a", "na", "[]", "{}"}
VALUE_ASKED = re.compile(
    r"抜き出|抽出|取り出|分類|判定|判別|該当|有無|ラベル|カテゴリ|(?:なけれ|無けれ|なかった|ない場合|無い場合)"
    r"|json|\bextract|\bclassif|\blabel|\bcategor|\botherwise\b"
    r"|\bif (?:there (?:is|are) )?(?:none|nothing|no )",
    re.IGNORECASE,
)


def placeholders(text: Text) -> Iterator[Fault]:
    """Yield the first placeholder of a text that is not in code."""
    bare = CODE.sub(lambda code: " " * len(code[0]), text.text) if "`" in text.text else text.text
    program: bool | None = None
    for found in PLACEHOLDER.finditer(bare):
        if found[0].startswith(IN_PROGRAMS):
            program = PROGRAM.search(bare) is not None if program is None else program
            if program:
                continue
        message = f"a placeholder was left: {excerpt(text.text, found.start())}"
        yield Fault("placeholder", message, text.field)
        return


def may_be_blank(texts: Iterable[str]) -> bool:
    """Return quickly whether `blank` or `spaced` could find something in any of these texts."""
    for text in texts:
        if text != text.strip() or (len(text) <= LONGEST_BLANK and text.casefold() in BLANKS):
            return True
    return False


def is_value(answer: str, prompt: str) -> bool:
    """Return whether an answer such as なし is what the prompt asks for: to extract, to classify, or none."""
    return answer.strip().casefold() in VALUES and VALUE_ASKED.search(prompt) is not None


def blank(text: Text) -> Iterator[Fault]:
    """Yield an assistant's text that is not an answer but a substitute for one, such as N/A or a dash."""
    if len(text.text) <= LONGEST_BLANK and is_answer(text):
        answer = text.text.strip()
        if answer.casefold() in BLANKS:
            yield Fault("blank_answer", f"“{answer}” is not an answer", text.field)


def spaced(text: Text) -> Iterator[Fault]:
    """Yield a text with outer space or line breaks, which are fine between prompt and completion."""
    if text.field not in COMPLETION_KEYS and text.text != text.text.strip() and text.text.strip():
        front = text.text[:1].isspace()
        message = f"space {'before' if front else 'after'} the text {excerpt(text.text.strip())}"
        yield Fault("outer_space", message, text.field)
