"""Translate the source of a page: the text between tags, what is read out, the messages of a script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

# what separates texts: elements, statements, comments; style and script hold no text
_BETWEEN = re.compile(
    r"(<(style|script)\b.*?</\2>|<!--.*?-->|</?[a-zA-Z!](?:\{\{.*?\}\}|\{%.*?%\}|\"[^\"]*\"|[^>\"])*>|\{%.*?%\})",
    re.DOTALL,
)
_INLINE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_READ_OUT = re.compile(r'\b(aria-label|title|placeholder)="([^"{}]*[A-Za-z]{2}[^"{}]*)"')
_NAMES = re.compile(r"[A-Za-z_]\w*")
_CONSTANT = re.compile(r'"([^"]*)"')
_SAID = re.compile(r'\bT\("((?:[^"\\]|\\.)+)"')  # a script's message
NO_PHRASES = "const PHRASES = {};"
_WORD = re.compile(r"[A-Za-z]{2,}")


def texts(source: str) -> Iterator[str]:
    """Yield the messages of a template: `{name}` stands for an expression."""
    found: list[str] = []

    def keep(message: str) -> str:
        found.append(message)
        return message

    translated(source, keep)
    yield from found
    for expression in _INLINE.finditer(source):
        yield from (text.strip() for text in _CONSTANT.findall(expression[1]) if text.strip().count(" "))


def translated(source: str, translate: Callable[[str], str]) -> str:
    """Return the template with its messages replaced by `translate(message)`."""
    parts: list[str] = []
    end = 0
    for match in _BETWEEN.finditer(source):
        parts += (_run(source[end : match.start()], translate), _tag(match[0], translate))
        end = match.end()
    parts.append(_run(source[end:], translate))
    return "".join(parts)


def _tag(tag: str, translate: Callable[[str], str]) -> str:
    if tag.startswith(("<style", "<script", "<!--", "{%")):
        return tag
    return _READ_OUT.sub(lambda found: f'{found[1]}="{translate(found[2])}"', tag)


def _run(text: str, translate: Callable[[str], str]) -> str:
    """Translate one run of text; the space around it stays."""
    expressions: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        name = unique = _name(match[1])
        number = 2
        while unique in expressions:
            unique, number = f"{name}_{number}", number + 1
        expressions[unique] = match[0]
        return f"{{{unique}}}"

    message = " ".join(_INLINE.sub(named, text).split())
    if not _WORD.search(re.sub(r"\{\w+\}", "", message)):
        return text
    start, end = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    done = re.sub(r"\{(\w+)\}", lambda found: expressions.get(found[1], found[0]), translate(message))
    return f"{start}{done}{end}"


def _name(expression: str) -> str:
    words = _NAMES.findall(re.sub(r'"[^"]*"', "", expression.split("|")[0].split(" if ")[0]))
    called = re.match(r"\s*([a-z_]+)\(", expression)
    name = called[1] if called else words[-1] if words else "value"
    return name.lower() if name != "s" else "value"


def script_texts(source: str) -> list[str]:
    """Return the messages of a script: the first arguments of `T`."""
    return [json.loads(f'"{found[1]}"') for found in _SAID.finditer(source)]


def translated_script(source: str, translate: Callable[[str], str]) -> str:
    """Return the script with the translations of its messages."""
    pairs = {text: translate(text) for text in script_texts(source)}
    known = {text: translation for text, translation in pairs.items() if translation != text}
    if not known:
        return source
    table = json.dumps(known, ensure_ascii=False).replace("</", "<\\/")
    return source.replace(NO_PHRASES, f"const PHRASES = {table};")
