"""Rules of data sources that a JSON Schema can't express: keys that go together, queries, conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftrun.errors import Problem
from ftrun.experiment.document import Document
from ftrun.experiment.nodes import KeyPath
from ftrun.experiment.places import shown_value

VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
KINDS = ("path", "sql", "dataset")
OF_FILES = (
    "format",
    "encoding",
    "separator",
    "header_row",
    "records",
    "pause",
    "turns",
    "sheet",
    "query",
)  # keys that need `path`
COMMENT_OR_TEXT = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", re.DOTALL)
READING = re.compile(r"\s*\(*\s*(?:select|with|values)\b", re.IGNORECASE)
ONE_EQUAL = re.compile(r"(?<![=<>!])=(?!=)")
COMMIT = re.compile(r"[0-9a-f]{40}")
DATASET_ID = re.compile(
    r"(?!.*(?:--|\.\.|\.git$))\w(?:[\w.-]*\w)?/\w(?:[\w.-]{0,94}\w)?"
)  # as the Hub defines it


def is_variable_name(text: str) -> bool:
    """Return whether an environment variable can have this name."""
    return VARIABLE_NAME.fullmatch(text) is not None


def check_sources(document: Document) -> Iterator[Problem]:
    """Yield the problems of every entry of `data.sources`, `data.split.validation` and `data.split.test`."""
    for path, source in _sources(document):
        yield from _kind_problems(document, path, source)
        yield from _query_problems(document, (*path, "query"), source.get("query"))
        if isinstance(source.get("sql"), Mapping):
            yield from _sql_problems(document, (*path, "sql"), source["sql"])
        if isinstance(source.get("dataset"), Mapping):
            yield from _dataset_problems(document, (*path, "dataset"), source["dataset"])
        yield from _sample_problems(document, (*path, "sample"), source.get("sample"))
        yield from _where_problems(document, (*path, "where"), source.get("where"))
        yield from _group_problems(document, path, source)
        if "weight" in source and path[:2] == ("data", "split"):
            message = "held-out rows are used once; only training data has a weight"
            yield document.problem((*path, "weight"), message, code="wrong_key", at_key=True)


def _sources(document: Document) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    data = document.data.get("data")
    split = data.get("split") if isinstance(data, Mapping) else None
    lists: list[tuple[KeyPath, Any]] = []
    if isinstance(data, Mapping):
        lists.append((("data", "sources"), data.get("sources")))
    if isinstance(split, Mapping):
        lists += [(("data", "split", key), split.get(key)) for key in ("validation", "test")]
    for path, entries in lists:
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, Mapping):
                yield (*path, index), entry


def _group_problems(document: Document, path: KeyPath, source: Mapping[str, Any]) -> Iterator[Problem]:
    if "shape" in source and "group_by" in source:
        message = "`shape` is for rows that are whole conversations, `group_by` for rows that are messages"
        hint = "Delete one of the two."
        yield document.problem((*path, "shape"), message, code="wrong_key", hint=hint, at_key=True)
    for key in ("order_by", "roles") if "group_by" not in source else ():
        if key in source and not (key == "roles" and "shape" in source):
            message = "this is only for rows that `group_by` turns into conversations"
            hint = "Add `group_by: COLUMN`, the column that names the conversation."
            yield document.problem((*path, key), message, code="wrong_key", hint=hint, at_key=True)


def _kind_problems(document: Document, path: KeyPath, source: Mapping[str, Any]) -> Iterator[Problem]:
    given = [kind for kind in KINDS if kind in source]
    if not given:
        hint = "Add `path:` with a file or glob (or `sql:`, or `dataset:`)."
        yield document.problem(path, "the key `path` is missing", code="missing_key", hint=hint, at_key=True)
    for kind in given[1:]:
        message = f"a source has either `{given[0]}` or `{kind}`"
        yield document.problem((*path, kind), message, code="wrong_key", at_key=True)
    for key in OF_FILES if given and given[0] != "path" else ():
        if key in source:
            message = "this key is for sources with `path`"
            yield document.problem((*path, key), message, code="wrong_key", at_key=True)


def _query_problems(document: Document, path: KeyPath, query: Any) -> Iterator[Problem]:
    if not isinstance(query, str):
        return
    plain = COMMENT_OR_TEXT.sub(" ", query).strip().removesuffix(";")
    if not READING.match(plain):
        message = "the query does not begin with SELECT, WITH or VALUES"
        yield document.problem(path, message, code="query", hint="Rows are only read; write one SELECT.")
    elif ";" in plain:
        yield document.problem(
            path, "there is more than one statement", code="query", hint="Write one SELECT."
        )


def _sql_problems(document: Document, path: KeyPath, sql: Mapping[str, Any]) -> Iterator[Problem]:
    variable = sql.get("url_env")
    if isinstance(variable, str) and not is_variable_name(variable):
        # not repeated: it may be the address, with a password in it
        message = "this is not the name of an environment variable"
        hint = "Write its name, such as DATABASE_URL; never put the address itself into the file."
        yield document.problem((*path, "url_env"), message, code="url_env", hint=hint)
    yield from _query_problems(document, (*path, "query"), sql.get("query"))


def _dataset_problems(document: Document, path: KeyPath, dataset: Mapping[str, Any]) -> Iterator[Problem]:
    name, revision = dataset.get("id"), dataset.get("revision")
    if ("path" in dataset) == ("id" in dataset):
        yield document.problem(path, "either `path` or `id` is needed", code="missing_key", at_key=True)
    elif "id" not in dataset and "revision" in dataset:
        message = "only datasets on the Hub have a revision"
        yield document.problem((*path, "revision"), message, code="wrong_key", at_key=True)
    elif isinstance(name, str) and not DATASET_ID.fullmatch(name):
        message = f"{shown_value(name)} is not organization/name"
        yield document.problem((*path, "id"), message, code="wrong_value")
    elif isinstance(name, str) and not (isinstance(revision, str) and COMMIT.fullmatch(revision)):
        message = "the full commit is needed: a branch or tag can move, and other data means another training"
        hint = "Copy it from the dataset's page on the Hub: Files and versions, History (40 characters)."
        yield document.problem((*path, "revision"), message, code="revision", hint=hint)


def _sample_problems(document: Document, path: KeyPath, sample: Any) -> Iterator[Problem]:
    size = sample.get("size") if isinstance(sample, Mapping) else sample
    if isinstance(size, float) and size > 1 and not size.is_integer():
        place = (*path, "size") if isinstance(sample, Mapping) else path
        hint = "Write 0.1 for a tenth of the rows, or 100 for a hundred rows."
        message = f"{size} is neither a share below 1 nor a whole number of rows"
        yield document.problem(place, message, code="wrong_value", hint=hint)


def _where_problems(document: Document, path: KeyPath, where: Any) -> Iterator[Problem]:
    if isinstance(where, str) and where:
        from ftrun.experiment.templates.conditions import syntax_error  # jinja2 is slow to import

        words = syntax_error(where, document.path.parent)
        if words is not None:
            hint = "Use == to compare" if ONE_EQUAL.search(COMMENT_OR_TEXT.sub("", where)) else None
            yield document.problem(path, f"this is not a condition: {words}", code="where", hint=hint)
