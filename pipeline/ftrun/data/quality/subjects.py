# ruff: noqa: E501 - words of many languages, those of one subject in a line
"""What a row is about, where that makes right what would be a flaw elsewhere: tags in an answer about HTML.

The question (and what the system prompt asks for) decides; for a few kinds the words of the answer do as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ftrun.data.quality.fictitious import CALLED_CARD, CALLED_MY_NUMBER, OF_A_THING
from ftrun.protocol.faults import Fault
from ftrun.protocol.texts import Text, is_answer

_PROGRAMMING = (
    r"(?<!promo )(?<!postal )(?<!zip )(?<!discount )(?<!area )(?<!dress )(?<!voucher )\bcode\b(?! of conduct)|\bprogramm(?:ing|er)|\bscript\b|python|javascript|typescript|\bjava\b|\bruby\b|\brust\b|golang|\bsql\b|\bjson\b"
    r"|\byaml\b|\breact\b|\bvue\b|angular|svelte|\bphp\b|\bc\+\+|\bc#|\bregex|(?<!郵便)(?<!割引)コード(?!は何番)|プログラム|代码|编程|코드|код\b"
    r"|código|パイソン|पायथन|بايثون"
)
_WEB = (
    r"\bhtml|\bcss\b|\bxml\b|\bsvg\b|\bjsx\b|markup|markdown|\bescape|エスケープ|(?<!price )(?<!name )(?<!luggage )\btags?\b|web ?dev|\belement\b|\bdom\b|\bdiv\b"
    r"|wordpress|github|entit(?:y|ies)\b|タグ|マークアップ|网页里|标签|태그|тег|balise|etiqueta|Auszeichnung"
    r"|non-?breaking"
)
_TEMPLATES = (
    r"template|templating|placeholder|\bapi\b|\bheader\b|\bcurl\b|\bcommand\b|\bcli\b|\bcron\b|\bshell\b|docker|compose file|kubernetes|\bvariable|\bmacro|merge field|\bdate format|\bformat string|\bsyntax\b|f-string|jinja|mustache|handlebars|liquid"
    r"|\btwig\b|\bhelm\b|ansible|workflow|github actions|platzhalter|vorlage|muster\b|plantilla"
    r"|テンプレート|ひな(?:形|型)|雛形|プレースホルダ|変数|差し込み|埋め込|伏せ字|伏字|〇〇|○○|空欄|記入|書式|構文|用紙|变量|模板|占位"
    r"|템플릿|변수|빈칸|переменн|шаблон|متغير|قالب|वेरिएबल|टेम्पलेट"
)
_LATEX = re.compile(
    r"\\(?:frac|sqrt|text|math\w+|begin|end|sum|int|left|right|cdot|times|alpha|beta|lVert|vec|in|leq|geq)\b|\$[^$\n]+\$"
)
_SIGN = (
    r"\bsign\b|symbol|\bcharacter\b|punctuation|\bmark\b|operator|delimiter|separator|separates?\b|記号|符号|文字|句読点|zeichen|signe|signo"
    r"|sinal|símbolo|标点|기호|부호|знак|символ|علامة|रमز|चिह्न"  # codespell:ignore sinal
)
_VALUE = (
    _PROGRAMMING
    + r"|抜き出|抽出|取り出|分類|判定|判別|該当|有無|ラベル|カテゴリ|(?:なけれ|無けれ|なかった|ない場合|無い場合)"
    r"|\bextract|\bclassif|\blabel|\bcategor|\botherwise\b|\bif (?:there (?:is|are) )?(?:none|nothing|no )"
    r"|\bfunction|\breturn|\bkeyword|\bprints?\b|\bevaluate|floating point|\blist\b|\bdict|\barray|戻り値|返り値|関数|値がない|\bor write "
    r"|\bsentiment|\bintent\b|\bentit|klassifi|extrahier|classez|extrai|clasific|分类|提取|분류|추출|классифиц|извлек"
)
_ELEMENT = r"sodium|natrium|sódio|sodio|ナトリウム|钠|나트륨|натри|元素|element|chemi|symbol|símbolo|симв"
_UNKNOWN = (
    r"\bvariable|\bunknown|\bletter|\bsolve|equation|algebra|axis|roman|alphabet|multiply|変数|未知数|文字|方程式|未知|변수|미지수"
    r"|переменн|неизвест|inconnue|incógnita|Unbekannte|Buchstabe"
)
_SPELLING = r"漢字|ひらがな|平仮名|かな|カタカナ|読み|一文字|怎么写|字|書く"
# by code: what the question is about where the finding is none
ASKED = {
    "html": f"</?[a-z][a-z0-9]*>|&[a-z]+;|{_WEB}|{_PROGRAMMING}|{_TEMPLATES}|\\bh2o\\b",
    "placeholder": f"{_TEMPLATES}|{_PROGRAMMING}|{_WEB}|(?-i:TODO)(?!\\s*[:：(]|\\s*$)|lorem ipsum(?! dolor)|what .*lorem|\\bxxx|latex",
    "mojibake": r"mojibake|文字化け|utf-?8|latin-?1|encoding|エンコード|乱码|кодировк|codificaci|Zeichensatz|codage|[ÃÂ]",
    "tabs": f"\\btabs?\\b|\\btsv\\b|タブ|{_PROGRAMMING}|makefile|\\bstruct\\b|\\bindent|einrück|tableau|制表|탭",
    "image_token": f"{_WEB}|embed|\\btoken\\b|トークン|\\belement",
    "full_width": r"全角|半角|full-?width|half-?width",
    "control_character": r"zero-?width|unicode|制御文字|ゼロ幅|control character",
    "bidi_character": r"unicode|bidi|right-to-left",
}
# by code: words of the answer that say so as well
SAID = {
    "html": r"\btags?\b|\bhtml\b|タグ|要素|\belements?\b|balise|etiqueta|标签|태그|\bтег|<Ctrl>|<Enter>",
    "placeholder": (
        r"(?<![<\[{])placeholder|platzhalter|プレースホルダ|伏せ字|伏字|テンプレート|template|\bmacro|for each recipient|ersetzt|replaced by"
        r"|記入する|用紙|見出し"
    ),
    "image_token": r"\belements?\b|\btags?\b|要素|タグ|svg|`<",
    "mojibake": r"mojibake|文字化け|read as (?:latin|cp|windows)",
    "full_width": r"全角",
}
_ASKED, _SAID = (
    {code: re.compile(words, re.IGNORECASE) for code, words in one.items()} for one in (ASKED, SAID)
)
# what is no answer where nothing of its kind was asked for: the answers, and what asks for them
_BLANK: tuple[tuple[frozenset[str], re.Pattern[str]], ...] = tuple(
    (frozenset(answers.split()), re.compile(words, re.IGNORECASE))
    for answers, words in (
        ("なし 無し 該当なし 特になし none null nil n/a na nan undefined [] {}", _VALUE),
        ("na", _ELEMENT),
        ("x", f"{_UNKNOWN}|{_SIGN}"),
        ("- -- --- — – ー … ... . 。 ? ？ / x 〃 同上 {} []", _SIGN),
        ("空 なし 無し 空欄 同上 未定", _SPELLING),
    )
)
_NAMED_NUMBER = re.compile(
    OF_A_THING + r"|\b(?:order|track|parcel|invoice|serial|ticket|imei|transaction)", re.IGNORECASE
)


def is_excused(fault: Fault, text: Text, prompt: str) -> bool:
    """Return whether a fault of a text is none in a row whose other texts are `prompt`."""
    code = fault.code
    if code == "blank_answer":
        answer = text.text.strip().casefold()
        allowed = answer.isascii() and any(map(str.isalpha, answer)) and _has_word(prompt, text.text.strip())
        return allowed or any(answer in answers and words.search(prompt) for answers, words in _BLANK)
    if code in ("pii_my_number", "pii_card"):
        named = CALLED_CARD if code == "pii_card" else CALLED_MY_NUMBER
        return not named.search(f"{prompt}\n{text.text}") and _NAMED_NUMBER.search(prompt) is not None
    if code == "placeholder" and _LATEX.search(text.text):
        return True
    about = code in _ASKED and _ASKED[code].search(prompt) is not None
    return about or (code in _SAID and _SAID[code].search(text.text) is not None)


def _has_word(prompt: str, word: str) -> bool:
    """Return whether a prompt has a word as it is written, as one that allows an answer such as None."""
    return (
        prompt.strip() != word
        and re.search(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", prompt) is not None
    )


def prompt_of(texts: list[Text], own: Text) -> str:
    """Return what says the subject of a text: of an answer what it answers, of others themselves."""
    if is_answer(own):
        return "\n".join(text.text for text in texts if text.role != "assistant" and text is not own)
    system = (text.text for text in texts if text.role in ("system", "developer") and text is not own)
    return "\n".join((*system, own.text))


EXCUSABLE: Mapping[str, bool] = dict.fromkeys(
    (*ASKED, *SAID, "blank_answer", "pii_my_number", "pii_card"), True
)
