"""Writes the keys of docs/experiment-file.md from the schema: `python -m experiment.reference` in tests/."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ftrun.experiment import schema_text

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "experiment-file.md"
BEGIN, END = "<!-- keys: begin -->\n", "<!-- keys: end -->\n"
SCALARS = ("duration", "texts")


def rows(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (key path, required or default, description) of every key, as the file nests them."""
    yield from _below(schema, schema, "", frozenset())


def _below(
    schema: Mapping[str, Any], one: Mapping[str, Any], above: str, seen: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    for key, child in one.get("properties", {}).items():
        name = above + key
        yield name, _note(child, key in one.get("required", ())), _resolved(schema, child)["description"]
        yield from _inner(schema, child, name, seen)


def _inner(
    schema: Mapping[str, Any], one: Mapping[str, Any], name: str, seen: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    reference = one.get("$ref", "").rsplit("/", 1)[-1]
    other_name = "Scorer" in reference and not reference.startswith(name.rsplit(".", 1)[-1])
    if reference in seen or reference in SCALARS or other_name:  # options are listed once
        return
    seen = seen | ({reference} if reference else frozenset())
    full = _resolved(schema, one)
    yield from _below(schema, full, f"{name}.", seen)
    if isinstance(full.get("items"), dict):
        yield from _inner(schema, full["items"], f"{name}[]", seen)
    if isinstance(full.get("additionalProperties"), dict):
        yield from _inner(schema, full["additionalProperties"], f"{name}.NAME", seen)


def _resolved(schema: Mapping[str, Any], one: Mapping[str, Any]) -> dict[str, Any]:
    reference = one.get("$ref", "").rsplit("/", 1)[-1]
    return {**schema["$defs"].get(reference, {}), **one}


def _note(one: Mapping[str, Any], required: bool) -> str:
    if "default" in one:
        return f"`{json.dumps(one['default'])}`"
    return "required" if required else ""


def table() -> str:
    """Return the reference as a Markdown table."""
    lines = ["| key | default | meaning |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {note} | {text.replace('|', '/')} |"
        for name, note, text in rows(json.loads(schema_text()))
    ]
    return "\n".join(lines) + "\n"


def with_table(document: str) -> str:
    """Return the document with the table between its marks."""
    before, rest = document.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
