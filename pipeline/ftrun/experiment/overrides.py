"""`--set a.b.c=VALUE`: parse it and set the value in the tree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ftrun.errors import ConfigError
from ftrun.experiment.nodes import Node
from ftrun.experiment.yaml12 import compose

PART = re.compile(r"[^.\[\]=]+")
KEY = re.compile(r"[^.\[\]=]+(?:\.[^.\[\]=]+|\[[0-9]+\])*")
TEMPLATE_START = ("{{", "{%", "{#")
HINT = (
    "Write --set train.hyperparameters.n_epochs=5, or --set eval.prompts.0.user=TEXT for an entry of a list."
)


def apply(root: Node, override: str) -> None:
    """Set one `KEY=VALUE` in the tree; VALUE is YAML. ConfigError if key or value can't be read."""
    key, separator, text = override.partition("=")
    key = key.strip()
    name = f"--set {key}"
    if not separator or not KEY.fullmatch(key):
        # not repeated: what follows a mistyped "=" may be a secret
        raise ConfigError("--set takes KEY=VALUE", code="override", hint=HINT)
    if key.split(".")[0] == "extends":
        raise _error(name, "`extends` can only be set in the file", None)
    _put(root, PART.findall(key), _value(text, name), name)


def _value(text: str, name: str) -> Node:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _error(name, "the value is not UTF-8 text", None) from error
    # a template looks like a flow mapping to YAML, and could never be a useful one
    if text.lstrip().startswith(TEMPLATE_START):
        return _leaf(text)
    return compose(text, None, name) if text.strip() else _leaf(None)


def _leaf(value: Any) -> Node:
    return Node(value, file=None, line=1, column=1)


def _put(node: Node, parts: list[str], value: Node, name: str) -> None:
    for part in parts[:-1]:
        node = _step(node, part, name)
    last = parts[-1]
    if isinstance(node.value, list):
        index = _index(node.value, last, name)
        node.value[index : index + 1] = [value]
    else:
        _as_mapping(node, last, name)[last] = value


def _step(node: Node, part: str, name: str) -> Node:
    """Return the child `part`, created if a mapping lacks it."""
    if isinstance(node.value, list):
        index = _index(node.value, part, name)
        if index == len(node.value):
            node.value.append(_leaf(None))
        child = node.value[index]
    else:
        child = _as_mapping(node, part, name).setdefault(part, _leaf(None))
    assert isinstance(child, Node)
    return child


def _as_mapping(node: Node, part: str, name: str) -> dict[str, Node]:
    if node.value is None:
        node.value = {}
    if not isinstance(node.value, dict):
        raise _error(name, f"{part!r} is a key, but its parent is not a mapping", HINT)
    return node.value


def _index(items: list[Node], part: str, name: str) -> int:
    if not part.isascii() or not part.isdigit() or int(part[:9]) > len(items):
        last = len(items)
        raise _error(name, f"{part!r} is not an index of this list: use 0 to {last} ({last} appends)", None)
    return int(part)


def _error(name: str, message: str, hint: str | None) -> ConfigError:
    return ConfigError(f"{name}: {message}", code="override", hint=hint)


def base_folder(node: Node, config: Path) -> Path:
    """Return the folder that paths in `node` are relative to: its file's, or CONFIG's for --set."""
    return (node.file or config).parent
