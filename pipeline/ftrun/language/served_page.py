"""Pages that a server of ours sends: one document in the language of its reader, which loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from ftrun.language import LANGUAGES, phrase, screen_language
from ftrun.language.pages import translated, translated_script


def served_page(package: str, language: str, scripts: Sequence[str] = ("page.js",)) -> tuple[bytes, str]:
    """Return the page.html of `package` with its page.css and its scripts, and the value of
    Content-Security-Policy that allows only these.
    """
    folder = files(package)
    html, style, *parts = (
        (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", *scripts)
    )
    html = html.replace('<html lang="en">', f'<html lang="{language}">')
    html = translated(html, lambda one: phrase(one, language))
    script = translated_script("\n".join(parts), lambda one: phrase(one, language))
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html.replace("{{style}}", style).replace("{{script}}", script).encode(), policy


def page_language(name: str | None) -> str:
    """Return the language that a request names, or the screen's if there is none of that name."""
    return name if name in LANGUAGES else screen_language()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
