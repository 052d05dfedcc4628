"""Where a text of an example is in the user's row: the column or the message that it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ftrun.data.types import Row
from ftrun.experiment.model import Experiment, Template
from ftrun.protocol.spec import OUTPUTS, SYSTEM_ROLES

MESSAGE = re.compile(r"(input\.)?messages\[(\d+)\](.*)", re.DOTALL)
CONVERTED = re.compile(r"((?:input\.messages|messages|(?:non_)?preferred_output)\[\d+\])(\.content)?")
ONE_COLUMN = re.compile(
    r"\s*\{\{-?\s*(?:(?!row\b)([^\W\d]\w*)|row\[(?:'([^']+)'|\"([^\"]+)\")\]|row\.([^\W\d]\w*))\s*(?:\|\s*trim\s*)?-?\}\}\s*"
)


LABEL = re.compile(
    "label|category|categories|categoria|categoría|class(?:e|ification)?$|intent|sentiment|topic|tag$|ラベル|分類|カテゴリ|種別|感情|類別|类别|分类|标签|라벨|분류"
    "|etiqueta|étiquette|kategorie|klasse|категори|метка",
    re.IGNORECASE,
)


def is_label(field: str) -> bool:
    """Return whether a field is a column of labels, where N/A and none are values."""
    return "[" not in field and LABEL.search(field) is not None


def column_of(template: Template | None) -> str | None:
    """Return the name of the column that alone makes up a template, None if it is more than that."""
    found = ONE_COLUMN.fullmatch(template.text) if template is not None else None
    return next(filter(None, found.groups()), None) if found else None


def own_messages(values: Mapping[str, Any]) -> tuple[str, Sequence[Any]] | None:
    """Return the key and the list of a row's own messages, None if it has none."""
    given = values.get("input")
    if isinstance(given, Mapping) and isinstance(given.get("messages"), list):
        return "input.messages", given["messages"]
    for key in ("messages", "conversations"):
        if isinstance(values.get(key), list):
            return key, values[key]
    return None


def opens_with_system(values: Mapping[str, Any]) -> bool:
    """Return whether a row's own messages have a system prompt."""
    own = own_messages(values)
    roles = (one.get("role", one.get("from")) for one in (own[1] if own else ()) if isinstance(one, Mapping))
    return any(role in SYSTEM_ROLES for role in roles)


def own_field(experiment: Experiment, row: Row, made: Mapping[str, Any], field: str) -> str:
    """Return what a field of the example `made` is called in its row: a column, a template, a message."""
    own, found = own_messages(row.values), MESSAGE.fullmatch(field)
    if own is None:
        return _template_field(experiment, made, field, found)
    if found is None:
        return _place_in(row, field)
    asked = made.get("input", made)
    number = int(found[2]) - (len(asked.get("messages", ())) - len(own[1]))
    if number < 0:
        return "prompt.system" if experiment.prompt.system is not None else "system"
    if own[0] == "conversations":
        return f"conversations[{number}].value"
    return _place_in(row, f"{found[1] or ''}messages[{number}]{found[3]}")


def _place_in(row: Row, field: str) -> str:
    """Return the place of a row's field in the file, where a `shape` converted it."""
    found = CONVERTED.match(field) if row.places else None
    if row.places is None or found is None:
        return field
    message, content = found.groups()
    if content and message + content in row.places:
        return row.places[message + content] + field[found.end() :]
    return row.places.get(message, field)


def _template_field(
    experiment: Experiment, made: Mapping[str, Any], field: str, found: re.Match[str] | None
) -> str:
    """Return the column, or the template, that a field of a rendered example came from."""
    prompt = experiment.prompt
    name = dict(zip(OUTPUTS, ("preferred", "non_preferred"), strict=True)).get(field.partition("[")[0])
    if found is not None:
        if prompt.messages is not None:
            return f"prompt.messages[{found[2]}]"
        messages = made.get("input", made).get("messages", ())
        name = str(messages[int(found[2])].get("role"))
    template = (
        getattr(prompt, name)
        if name in ("system", "user", "assistant", *OUTPUTS, "preferred", "non_preferred")
        else None
    )
    if template is None:
        return field
    return column_of(template) or f"prompt.{name}"
