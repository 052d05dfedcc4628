"""The templates of graders: `{{item.reference}}` and the like are replaced by values, nothing else is done.

`item` is what is known of the question, `sample` the answer: `output_text`, `output_json` (its value if it is
JSON) and `output_tools` (its tool calls). Names are parted by dots; `0` is a list's
first element, and a text that is JSON has fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftrun.scoring.texts.json_values import as_text, parsed

PLACE = re.compile(r"\{\{\s*(?P<path>[^{}]*?)\s*\}\}")
PATH = re.compile(r"(?:item|sample)(?:\.[\w-]+)+")
OF_SAMPLE = ("output_text", "output_json", "output_tools")
Namespace = Mapping[str, Any]


class TemplateError(ValueError):
    """A template names what isn't there."""


def paths_in(template: str) -> Iterator[str]:
    """Yield the names in a template."""
    yield from (found["path"] for found in PLACE.finditer(template))


def path_fault(path: str) -> str:
    """Return why a name can't be used, whatever the question and the answer; nothing if it can."""
    if PATH.fullmatch(path) is None:
        return f"{{{{{path}}}}} is not a name like item.reference or sample.output_text"
    root, first, *rest = path.split(".")
    if root == "sample" and (first not in OF_SAMPLE or (rest and first == "output_text")):
        return f"{{{{{path}}}}} is unknown; available for the sample: {', '.join(OF_SAMPLE)}"
    return ""


def filled(template: str, values: Namespace) -> str:
    """Return a template with its values; those that aren't texts as JSON. TemplateError if one is missing."""
    return PLACE.sub(lambda found: as_text(_value(found["path"], values)), template)


def _value(path: str, values: Namespace) -> Any:
    value: Any = values
    for name in path.split("."):
        if isinstance(value, str):  # a text that is JSON has fields
            value = parsed(value)
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list | tuple) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise TemplateError(f"there is no {path}")
    return value
