"""The example browser: its script, the JSON it reads, the policy that allows this script alone."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from ftrun.redaction import hide_in
from ftrun.report import words
from ftrun.report.facts import ExampleFacts
from ftrun.text import visible

# what could end the element or, in old browsers, the script's string
ESCAPES = {ord(one): f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}


def script() -> str:
    """Return the browser's script."""
    return (files("ftrun.report") / "browser.js").read_text(encoding="utf-8")


def island(examples: Sequence[ExampleFacts], han: str | None) -> Markup:
    """Return the examples as JSON that can stand in a page: control characters shown, markup escaped.

    `han` is the language of texts in Han characters alone.
    """
    value = hide_in([_example(one, han) for one in examples])  # before it is escaped
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(ESCAPES)
    return Markup(text)  # noqa: S704 - nothing of it can end the element


def source(text: str) -> str:
    """Return the policy's name for a style sheet or script that is in the page."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _example(example: ExampleFacts, han: str | None) -> dict[str, Any]:
    return {
        "split": example.split,
        "number": example.number,
        "file": visible(example.file),
        "line": example.line,
        "tokens": example.tokens,
        "trained_tokens": example.trained_tokens,
        "tools": visible(", ".join(example.tools)),
        "tags": list(example.tags),
        "turns": [
            {
                "role": visible(turn.role),
                "text": visible(turn.text, keep_newlines=True),
                "trained": turn.trained,
                "cut": turn.cut,
                "lang": words.language(turn.text, han),
            }
            for turn in example.turns
        ],
    }
