"""Rules of `data.verbatim`: files that are sent byte for byte leave nothing for other keys to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftrun.errors import Problem
from ftrun.experiment.document import Document
from ftrun.experiment.nodes import KeyPath, get_in

OF_FILES = ("path", "format")
USELESS = ("clean", "pii", "replay", "legacy_functions", "sharegpt")
PATTERN = frozenset("*?[")


def verbatim_problems(document: Document) -> Iterator[Problem]:
    """Yield the problems of an experiment whose files are sent as they are; none of others."""
    data = document.data.get("data")
    if not isinstance(data, Mapping) or data.get("verbatim") is not True:
        return
    yield from _file_problems(document, ("data", "sources"), data.get("sources"))
    split = data.get("split")
    for key, value in split.items() if isinstance(split, Mapping) else ():
        if key == "validation" and isinstance(value, list):
            yield from _file_problems(document, ("data", "split", key), value)
        elif value and key != "seed":
            yield _useless(document, ("data", "split", key))
    if data.get("dedupe", "off") != "off":
        yield _useless(document, ("data", "dedupe"))
    yield from (_useless(document, ("data", key)) for key in USELESS if data.get(key))
    prompt = document.data.get("prompt")
    for key in prompt if isinstance(prompt, Mapping) else ():
        if prompt[key] is not None:
            yield _useless(document, ("prompt", key))


def _useless(document: Document, path: KeyPath) -> Problem:
    message = f"`{path[-1]}` has no effect on files that are sent byte for byte (data.verbatim)"
    hint = "Delete it, or delete `verbatim`: then the rows are prepared, and it is another job."
    return document.problem(path, message, code="verbatim", hint=hint, at_key=True)


def _file_problems(document: Document, path: KeyPath, entries: Any) -> Iterator[Problem]:
    if not isinstance(entries, list):
        return
    for index, entry in enumerate(entries):
        if index:
            message = "there is more than one file, and data.verbatim sends one as it is"
            hint = "Join the files, or delete `verbatim`."
            yield document.problem((*path, index), message, code="verbatim", hint=hint)
        for key in entry if isinstance(entry, Mapping) else ():
            if key not in OF_FILES:
                yield _useless(document, (*path, index, key))
        yield from _name_problems(document, (*path, index), entry)


def _name_problems(document: Document, path: KeyPath, entry: Any) -> Iterator[Problem]:
    name, form = get_in(entry, "path"), get_in(entry, "format")
    if not isinstance(name, str):
        return
    jsonl = form == "jsonl" if form is not None else name.endswith((".jsonl", ".ndjson"))
    if PATTERN & set(name) or not jsonl:
        message = "data.verbatim needs the name of one file of JSON lines"
        hint = "Name one file that ends in .jsonl, or delete `verbatim`."
        yield document.problem((*path, "path"), message, code="verbatim", hint=hint)
