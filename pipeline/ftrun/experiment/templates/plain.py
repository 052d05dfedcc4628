"""Templates of plain text and `{{ name }}`, perhaps below a comment: filled in without Jinja, much faster.

Only where the result is certainly the same; everything else, and every error, is left to Jinja.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ftrun.experiment.model import Experiment, Template
from ftrun.experiment.nodes import KeyPath, spell

LARGEST_OUTPUT = 1_000_000  # characters
Filler = Callable[[Mapping[str, Any]], str | None]
NAME = re.compile(r"(?<!\{)\{\{ ?([^\W\d]\w*) ?\}\}")
COMMENT = re.compile(r"\{#(?![-+])(?:(?!#\}).)*-#\}\s*", re.DOTALL)  # as `ftrun init` writes one
MARKS = ("{{", "{%", "{#", "\r")  # Jinja also turns a return into a line break
# names that mean something else in an expression
RESERVED = frozenset(("and", "else", "if", "in", "is", "not", "or", "true", "false", "none")) | frozenset(
    ("True", "False", "None", "self", "loop", "caller", "varargs", "kwargs")
)


def plain_filler(text: str) -> Filler | None:
    """Return a function that fills in a template of plain text and names; None for any other template.

    It returns what Jinja would render; None if Jinja must render it, or report what is wrong.
    """
    if text.startswith("{#") and (comment := COMMENT.match(text)):
        text = text[comment.end() :]
    parts = NAME.split(text)
    if any(mark in part for part in parts[::2] for mark in MARKS) or not RESERVED.isdisjoint(parts[1::2]):
        return None
    parts[-1] = parts[-1].removesuffix("\n")  # as Jinja drops the line break at the end of a file
    texts, wanted = parts[::2], parts[1::2]
    if not wanted and len(text) <= LARGEST_OUTPUT:
        return lambda _: texts[0]  # the same object for all rows
    form = "%s".join(part.replace("%", "%%") for part in texts)

    def fill(names: Mapping[str, Any]) -> str | None:
        values = tuple([names.get(name) for name in wanted])
        size = 0
        for value in values:
            if isinstance(value, str):
                size += len(value)
            elif not isinstance(value, (int, float)):
                return None
        if size > LARGEST_OUTPUT:  # a large value that is named often needs no more than a few kilobytes
            return None
        filled = form % values
        return filled if len(filled) <= LARGEST_OUTPUT else None

    return fill


def all_plain(experiment: Experiment) -> bool:
    """Return whether no template of the prompt needs Jinja."""
    return all(plain_filler(template.text) for _, template in named_templates(experiment))


def named_templates(experiment: Experiment) -> Iterator[tuple[str, Template]]:
    """Yield every template of the prompt with its key."""
    prompt = experiment.prompt
    for key in ("system", "user", "assistant", "preferred", "non_preferred"):
        if (template := getattr(prompt, key)) is not None:
            yield f"prompt.{key}", template
    for name, field in prompt.item.items():
        yield f"prompt.item.{name}", field
    for index, message in enumerate(prompt.messages or ()):
        for key in ("content", "name", "tool_calls", "tool_call_id"):
            yield from _leaves(getattr(message, key), ("prompt", "messages", index, key))


def _leaves(tree: Any, path: KeyPath) -> Iterator[tuple[str, Template]]:
    if isinstance(tree, Template):
        yield spell(path), tree
    elif isinstance(tree, (Mapping, tuple)):
        for key, one in tree.items() if isinstance(tree, Mapping) else enumerate(tree):
            yield from _leaves(one, (*path, key))
