# ruff: noqa: E501 - words of many languages, those of one kind in a line
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
# the same in other languages: the words in brackets that ask for a text, or name what is to be put in
OTHER_WORD = (
    r"(?i:(?:ihr|dein|ihre|deine|votre|su|tu|seu|sua|il (?:tuo|suo)) ?(?:vor|nach|firmen)?(?:name|adresse|nom|prénom|nombre|nome"  # codespell:ignore deine,vor,adresse,nome
    r"|dirección|endereço|indirizzo|empresa|firma|entreprise|azienda|e-?mail)"
    r"|(?:insérer|insérez|insertar|inserte|inserir|insira|inserire|inserisci|вставьте|вставить|введите) (?:(?:la|el|il|o|a|le|votre|su|tu) ?)?"
    r"(?:réponse|nom|respuesta|nombre|resposta|nome|risposta|ответ|имя)(?: [^\]\n]{1,20})?"  # codespell:ignore nome
    r"|(?:name|antwort|firma|datum)(?: hier)? einfügen|à compléter|por completar|ваше имя|имя клиента)"
    r"|(?:您|你)的(?:姓名|名字|地址|公司|电话)|客户姓名|请?(?:在此|在这里)(?:输入|填写)[^\]\n]{0,12}"
    r"|(?:(?:고객)?이름|고객명)(?=\](?:님|씨))"
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
LABEL = (
    "(?!欄|を?(?:ご?入力|ご?記入|選択|クリック|押)|に(?:ご?入力|ご?記入)|ボタン|タブ|フィールド|項目"
    r"| (?:in the (?:menu|form|list)|button|field|tab|box|column)\b)"
)
NOT_CLICKED = "".join(f"(?<!{one} )" for one in ("lick", "elect", "ress", "hoose", "Tap", "tap", "pen"))
# what follows a circle or a cross that stands for a name or a number
OF_A_NAME = (
    "様|さま|さん|氏|殿|先生|御中|君|株式会社|有限会社|会社|社(?!会)|店|市|県|駅|円|時|月|日(?!本)|年|課|部(?!分)|大学|学校|高校|病院"
    "|町|区|番地|会議室|ビル|号室|銀行|支店|センター|担当|部長|課長"
)
NUMERAL = "一二三四五六七八九十百千万億0-9０-９〇×✕△✗"
QUOTED = re.compile("「[^」\\n]{0,40}」|『[^』\\n]{0,40}』|'[^'\\n]{1,12}'|‘[^’\\n]{1,12}’")
CIRCLES = (
    f"(?<![{NUMERAL}])(?:[〇○◯]{{2,}}|[△✕]{{2,}})(?=の?(?:{OF_A_NAME}))|株式会社[〇○◯△]{{2,}}"
    "|[〇○◯]{1,2}月[〇○◯]{1,2}日|[〇○◯]{2,}(?=です|と申)"
)
PLACEHOLDER = re.compile(
    r"(?=[{$\[<TFXLl〇○◯△✕＿［【株])(?:(?<!\$)(?<!\{)\{\{[^{}\n]{1,60}\}\}(?!\})|\{%[^{}\n]{1,60}%\}"
    r"|(?<![=:/\"'])(?<!: )\$\{(?!(?:HOME|PATH|USER|PWD|SHELL|LANG)\})[A-Za-z_][\w.]{0,40}\}"
    r"|(?<![A-Za-z0-9{$}^_\\/>&?=.\"'])\{[a-z][a-z0-9_]{1,30}\}(?![}/])"
    rf"|{NOT_CLICKED}\[(?:(?i:{WORD})|{JAPANESE_WORD}|{OTHER_WORD})\](?![(\[]){LABEL}"
    rf"|[［【](?:{JAPANESE_WORD})[］】](?=様|さん|殿|御中|の(?!欄|項目|見出し)|が|は(?!必須|任意)|です|と申し|、)"
    r"|<(?:(?i:your|insert|enter|customer|company)[ _-][A-Za-z _-]{1,24}"
    r"|(?i:placeholder)|INSERT|NAME|DATE|TODO)>"
    r"|(?:(?<=\n)|(?<![^\s])(?<![A-Za-zÀ-ÿ,;] ))(?:TODO|FIXME|TBD)\b(?=\s*[:：(]|\s*$)"
    r"|(?<=: )(?:TODO|TBD)(?=\s*$)"
    r"|(?<![A-Za-z0-9])(?:XXXX+(?![A-Za-z0-9]|-[A-Za-z])|X{2,}(?=円|様|株式会社|さん))|(?i:\blorem ipsum\b)"
    f"|{CIRCLES}|＿{{3,}})"
)
BRACKETED = re.compile(f"[［【](?:{JAPANESE_WORD})[］】]")  # the brackets alone are usual
BLANKS = frozenset((
    "", "-", "--", "---", "—", "–", "ー", "…", "...", ".", "。", "?", "？", "/", "x", "n/a", "na", "nan",
    "nil", "null", "none", "undefined", "#n/a", "#value!", "#ref!", "#name?", "#div/0!", "[]", "{}", "なし",
    "à compléter", "a compléter", "por completar", "a completar", "заполнить", "待补充", "待填写",
    "(ここに回答を入力)", "（ここに回答を入力）", "ここに回答を入力", "回答を入力", "(回答を入力)", "（回答を入力）", "回答をここに入力", "미입력", "답변 없음",
    "無し", "－", "無回答", "未回答", "未入力", "空", "空欄", "該当なし", "特になし", "同上", "〃",
))  # fmt: skip
LONGEST_BLANK = 12


def without_code(text: str) -> str:
    """Return a text with blanks in the place of its code."""
    return CODE.sub(lambda code: " " * len(code[0]), text) if "`" in text else text


def is_program(text: str) -> bool:
    """Return whether a line of a text is one of a program."""
    return PROGRAM.search(text) is not None


def placeholders(text: Text) -> Iterator[Fault]:
    """Yield the first placeholder of a text that is not in code."""
    bare = without_code(text.text)
    if not bare.isascii():  # 「〇〇」 names the sign, or what a sentence is made of
        bare = QUOTED.sub(lambda quoted: " " * len(quoted[0]), bare)
    program: bool | None = None
    for found in PLACEHOLDER.finditer(bare):
        if found[0].startswith(IN_PROGRAMS):
            program = is_program(bare) if program is None else program
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


def blank(text: Text) -> Iterator[Fault]:
    """Yield an assistant's text that is not an answer but a substitute for one, such as N/A or a dash."""
    if len(text.text) <= LONGEST_BLANK and is_answer(text):
        answer = text.text.strip()
        if answer.casefold() in BLANKS:
            yield Fault("blank_answer", f"“{answer}” is not an answer", text.field)


def spaced(text: Text) -> Iterator[Fault]:
    """Yield a text with outer space or line breaks, which are fine between prompt and completion."""
    if text.field not in COMPLETION_KEYS and text.text != text.text.strip() and text.text.strip():
        shown = excerpt(text.text.strip())
        front = f"space before the text {shown}"
        message = front if text.text[:1].isspace() else f"space after the text {shown}"
        yield Fault("outer_space", message, text.field)
