"""What all HTML pages share: autoescaped templates, foreign text that stays text, the content policy.

The content security policy allows only the style sheet and, where there is one, the script that are in the
page, by their hashes. A page never loads anything, no matter what its facts contain.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from ftrun.evaluation.answers import Record
from ftrun.langid.single import cjk_language
from ftrun.language import ENGLISH, localized, localized_part, phrase
from ftrun.language.pages import translated, translated_script
from ftrun.redaction import hide, hide_in
from ftrun.report import words
from ftrun.text import visible

WORDS = (
    "clipped",
    "counted",
    "duration",
    "hyperparameters",
    "loss",
    "moment",
    "number",
    "percent",
    "price",
    "price_parts",
    "signed",
)
# characters that could end the element or, in old browsers, the script's string
_SPECIAL = re.compile("[<>&\u2028\u2029]")


def rendered(
    template: str,
    han: str | None,
    *,
    language: str = ENGLISH,
    scripts: Sequence[str] = (),
    **values: Any,
) -> str:
    """Return the page in `language`, with these scripts (`browser.js` shows examples, `answers.js` answers,
    both with `texts.js`).

    `han` is the language of texts in Han characters alone.
    """
    texts = [script(name, language) for name in scripts]

    def source(name: str) -> str:
        text = _text(name).replace('<html lang="en">', f'<html lang="{language}">')
        return text if language == ENGLISH else translated(text, lambda one: phrase(one, language))

    def shown(value: Any) -> Any:
        """Translate, and mask secrets: once escaped, a key with a `<` would not be recognized."""
        return localized_part(hide(value), language) if type(value) is str else value

    environment = Environment(
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(source),
    )
    environment.globals.update({name: getattr(words, name) for name in WORDS})
    environment.filters["foreign"] = _Foreign(han)
    environment.filters["said"] = lambda text: localized_part(phrase(text, language), language)
    environment.filters["plain"] = lambda text: escape(visible(hide(str(text))))
    environment.filters["ours"] = lambda text: localized(text, language)
    style = _text("report.css")
    return environment.get_template(template).render(
        style=Markup(style),  # noqa: S704 - our own file
        policy=_policy(style, texts),
        scripts=[Markup(text) for text in texts],  # noqa: S704 - our own files
        **values,
    )


def language_of_han(texts: Iterable[str]) -> str | None:
    """Return ja if any of the texts is Japanese: texts in Han characters alone then count as Japanese too."""
    return "ja" if any(cjk_language(text) == "ja" for text in texts) else None


def answer_texts(answers: Iterable[Record]) -> Iterator[str]:
    """Yield the text of every question and answer."""
    for answer in answers:
        yield answer.answer
        yield from (str(message.get("content", "")) for message in answer.messages)


def script(name: str, language: str = ENGLISH) -> str:
    """Return a script of ours."""
    return translated_script(_text(name), lambda one: phrase(one, language))


def island(value: Any) -> Markup:
    """Return JSON values for a page's script: secrets hidden, markup escaped."""
    hidden = hide_in(value)  # before it is escaped
    text = json.dumps(hidden, ensure_ascii=False, separators=(",", ":"))
    return Markup(_SPECIAL.sub(_escape, text))  # noqa: S704 - nothing of it can end the element


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def browsed(example: Mapping[str, Any], han: str | None) -> dict[str, Any]:
    """Return an example for the script: control characters shown, each text with its language.

    `han` is the language of texts in Han characters alone.
    """
    turns = [
        {
            key: visible(one, keep_newlines=key == "text") if type(one) is str else one
            for key, one in turn.items()
        }
        | {"lang": cjk_language(turn["text"], han)}
        for turn in example["turns"]
    ]
    tools = visible(", ".join(example.get("tools", ())))
    return {"tags": [], **example, "file": visible(example["file"]), "tools": tools, "turns": turns}


def _text(name: str) -> str:
    return (files("ftrun.report") / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """Return the policy's source expression for an inline style sheet or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _policy(style: str, scripts: Sequence[str]) -> str:
    """Return the content security policy: nothing but what the page contains."""
    allowed = f"; script-src {' '.join(map(_source, scripts))}" if scripts else ""
    return (
        f"default-src 'none'; style-src {_source(style)}{allowed}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


class _Foreign:
    """Turn text that others wrote into HTML: escaped, its language marked, its control characters shown."""

    def __init__(self, han: str | None) -> None:
        self._han = han

    def __call__(self, text: object) -> Markup:
        """Return a span; runs of escapes such as `\\x1b` are marked so that nobody takes them for text."""
        plain = hide(str(text))
        language = cjk_language(plain, self._han)
        tag = Markup(' lang="{}"').format(language) if language else Markup()
        return Markup('<span dir="auto"{}>{}</span>').format(tag, _shown(plain))


def _shown(text: str) -> Markup:
    if visible(text, keep_newlines=True) == text:
        return escape(text)
    parts = []
    for character in text:
        shown = visible(character, keep_newlines=True)
        parts.append(
            escape(character)
            if shown == character
            else Markup('<span class="control">{}</span>').format(shown)
        )
    return Markup().join(parts)
