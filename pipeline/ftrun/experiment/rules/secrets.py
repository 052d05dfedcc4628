"""Find keys and passwords in an experiment file. Messages never repeat their values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from ftrun.errors import Problem
from ftrun.experiment.document import Document
from ftrun.experiment.key_shapes import KEY_NAME, KEY_SHAPES, LONG_RUN
from ftrun.experiment.nodes import KeyPath, walk

COMMIT = re.compile(r"[0-9a-f]{40}")
PLACEHOLDER = re.compile(r"[a-z]{2,4}[-_](.)\1*|[A-Z_]*", re.DOTALL)  # sk-xxxxxxxx, YOUR_API_KEY
HINT = (
    "Remove the key from the file, revoke it at the provider, put the new one into an environment variable, "
    "and name that variable with `api_key_env:`."
)
MESSAGE = "the file contains a key; secrets never belong in it"


def secret_problems(document: Document) -> dict[KeyPath, Problem]:
    """Return a problem for each value that looks like a key, by key path."""
    return {
        path: document.problem(path, MESSAGE, code="key_in_file", hint=HINT) for path in _secrets(document)
    }


def _secrets(document: Document) -> Iterator[KeyPath]:
    for path, node in walk(document.root):
        if path[-2:] == ("dataset", "revision") and COMMIT.fullmatch(str(node.value)):
            continue
        if path[:1] == ("imported",):
            continue  # ids that a server chose: some look like keys
        texts = [text for text in (*path[-1:], node.value) if isinstance(text, str)]
        if any(_is_key(text) or _has_password(text) for text in texts) or _names_a_key(path, node.value):
            yield path


def _names_a_key(path: KeyPath, value: object) -> bool:
    """Return whether the key at `path` is named like a secret and has a value."""
    if not path or value in (None, "") or isinstance(value, (int, float)):
        return False
    if "headers" in path and isinstance(value, str) and value.startswith("env:"):
        return False  # a variable's name
    if path == ("data", "pii", "secret"):
        return False  # what to do about secrets in the data
    # names that the user chooses (columns, template variables, targets) may be anything
    own = path[0] in ("prompt", "eval") or "columns" in path or path[:-1] == ("targets",)
    return not own and KEY_NAME.fullmatch(str(path[-1])) is not None


def _is_key(text: str) -> bool:
    if LONG_RUN.fullmatch(text):
        return True
    found = KEY_SHAPES.search(text)
    return found is not None and not PLACEHOLDER.fullmatch(found[0])


def _has_password(text: str) -> bool:
    if "://" not in text[:40] or any(map(str.isspace, text)):
        return False
    try:
        return "@" in urlsplit(text).netloc
    except ValueError:
        return False
