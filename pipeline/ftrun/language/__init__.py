"""Show messages in the user's language. English is their canonical form: it is what is stored and sent.

A finished message is recognized by the catalogue's templates (`ja.po`) when it is printed. What no template
knows is shown as it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftrun.language.phrases import Phrases

ENGLISH = "en"
LANGUAGES = (ENGLISH, "ja")
AS_IT_IS = "\ue000"  # begins text that is somebody's and not ours, until it is written
VARIABLES = ("FTRUN_LANG", "LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set decides


def screen_language(environment: Mapping[str, str] = os.environ) -> str:
    """Return the language of the screen and of served pages."""
    named = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    return "ja" if named.lower().startswith("ja") else ENGLISH


def localized(text: str, language: str | None = None) -> str:
    """Return a finished English message in `language` (default: the screen's); unknown text as it is."""
    if text.startswith(AS_IT_IS):
        return text[1:]
    language = language or screen_language()
    return text if language == ENGLISH else phrases_of(language).shown(text)


def verbatim(text: str) -> str:
    """Return text of rows and answers in the form in which a translated stream leaves it as it is."""
    return text if screen_language() == ENGLISH else f"{AS_IT_IS}{text}"


def localized_part(text: str, language: str) -> str:
    """Return a part of a text of our own, such as a cell of a table, in a language."""
    return text if language == ENGLISH else phrases_of(language).part(text)


def begun(text: str, language: str) -> str:
    """Return the whole message of one that was cut to `text`."""
    return text if language == ENGLISH else phrases_of(language).begun(text)


def phrase(message: str, language: str) -> str:
    """Return the translation of a message with `{name}` placeholders, which stay in it."""
    return message if language == ENGLISH else phrases_of(language).template(message)


@cache
def phrases_of(language: str) -> Phrases:
    """Return the phrases of a language other than English, loaded once."""
    from ftrun.language.phrases import Phrases  # English needs none of it

    return Phrases.load(language)
