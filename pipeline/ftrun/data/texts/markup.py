"""What other programs left in texts: HTML, tabs of tables, signs for pictures, marks of an older tool."""

from __future__ import annotations

import html
import re
from html.entities import html5

TAGS = (
    "p|br|div|span|a|ul|ol|li|dl|dt|dd|h[1-6]|b|i|u|s|strong|em|small|font|center|table|thead|tbody|tr|td|th|img|hr"
    "|blockquote|pre|code|script|style|section|article|header|footer|nav|main|aside|iframe|form|label|button|figure"
    "|figcaption|html|body|head|strike|del|ins|tt"
)
TAG = re.compile(
    rf"</?(?:{TAGS})(?:\s+[\w:-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>=]+))*\s*/?>|<!--.*?-->",
    re.IGNORECASE | re.DOTALL,
)
ENTITY = re.compile(r"&(?:([A-Za-z]{2,8}[0-9]{0,2})|#[0-9]{2,6}|#[xX][0-9A-Fa-f]{2,6});")
BLOCK_END = re.compile(
    r"[ \t]*(?:<br\s*/?>|</(?:p|div|li|tr|h[1-6]|ul|ol|table|blockquote)>)[ \t]*\n?", re.IGNORECASE
)
UNSEEN = re.compile(r"<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$", re.MULTILINE)
# a tab, or several, between two values of a line; the indentation of a line is not one
TAB_RUN = re.compile(r"(?<=[^\s])[ ]*\t[ \t]*\t[ \t]*|^(?:[ ]*\t){4,}(?=[^\s])", re.MULTILINE)
PASTED = re.compile(r"(?:^[^\t\n]+\t[^\t\n]+(?:\t[^\n]*)?$\n?){3,}", re.MULTILINE)
MEDIA = re.compile(
    r"<(?:image|video|audio)(?:[_-]?(?:\d{1,2}|token|here|pad|start|placeholder))?>|<\|(?:image|video|audio)(?:_?(?:pad|\d+))?\|>"
    r"|\[(?:IMG|IMAGE|VIDEO|AUDIO)(?:[_-]?\d{1,2})?\]|<ImageHere>|<img><|<\|vision_start\|>",
)
# what fine_tunes.prepare_data of the first fine-tuning API put between and after texts
PROMPT_END = re.compile(r"\n\n(?:###|===|---|===>|--->)(?:\n\n)?\Z| ->\Z")
SURE_END = re.compile(r"\n\n(?:###|===|===>|--->)(?:\n\n)?\Z")
ANSWER_END = re.compile(r"(?:\sEND|\s?###|\*\*\*|\+\+\+|&&&|\$\$\$|@@@|%%%)\Z")


def first_markup(text: str) -> re.Match[str] | None:
    """Return the first tag or entity of HTML in a text without code, None if there is none."""
    found = TAG.search(text)
    if found and found[0].lower().startswith("<br") and TABLE_ROW.search(text):
        found = next((one for one in TAG.finditer(text) if not one[0].lower().startswith("<br")), None)
    entity = next((one for one in ENTITY.finditer(text) if one[1] is None or f"{one[1]};" in html5), None)
    both = [one for one in (found, entity) if one]
    return min(both, key=re.Match.start, default=None)


def without_markup(text: str) -> str:
    """Return the text that a browser would show: without tags, with line breaks where blocks end."""
    if first_markup(text) is None:
        return text
    text = BLOCK_END.sub("\n", UNSEEN.sub("", text))
    text = html.unescape(TAG.sub("", text)).replace("\xa0", " ")
    return re.sub(r"\n{3,}", "\n\n", text)


def without_tabs(text: str) -> str:
    """Return a text with a space where tabs are between its words."""
    return re.sub(
        r"(?<=[^\s])[ ]*\t[ \t]*(?=[^\s])",
        " ",
        re.sub(r"^[ ]*\t[ \t]*|[ \t]*\t[ ]*$", "", text, flags=re.MULTILINE),
    )


def old_marks(prompt: str, answer: str) -> tuple[str, ...]:
    """Return the marks of the first fine-tuning tool around a prompt and its answer, as it wrote them."""
    before, end = PROMPT_END.search(prompt), ANSWER_END.search(answer.rstrip("\n"))
    spaced = answer.startswith(" ") and not answer.startswith("  ")
    if not (SURE_END.search(prompt) or (before and (end or spaced)) or (end and spaced)):
        return ()
    marks = (before[0] if before else "", " " if spaced else "", end[0] if end else "")
    return tuple(one for one in marks if one)


def without_marks(prompt: str, answer: str) -> tuple[str, str]:
    """Return a prompt and its answer without the marks of the first fine-tuning tool."""
    if not old_marks(prompt, answer):
        return prompt, answer
    return PROMPT_END.sub("", prompt), ANSWER_END.sub("", answer.strip()).rstrip()
