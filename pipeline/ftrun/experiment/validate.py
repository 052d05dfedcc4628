"""Validation: every problem of a document at once, in words, with its place and a hint.

The JSON Schema says what is allowed, rules/ what a schema can't express; here both become Problems.
"""

from __future__ import annotations

import difflib
import functools
import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import ftrun
from ftrun.errors import ConfigError, Problem
from ftrun.experiment import schema_text
from ftrun.experiment.document import Document
from ftrun.experiment.key_shapes import masked
from ftrun.experiment.nodes import KeyPath, walk
from ftrun.experiment.places import shown_path, shown_value
from ftrun.experiment.rules.general import rule_problems
from ftrun.experiment.rules.secrets import secret_problems

MOST_OF_A_FILE = 20  # problems shown of a file of questions
TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "keys and values",
    "null": "null",
}
# `*` stands for a target's name or an index
LATER_VALUES = {
    "targets.*.provider": ("ray",),
    "eval.models.*": ("checkpoints",),
}
LATER_HINT = f"This is ftrun {ftrun.__version__}: remove it, or use a newer version that supports it."


def validate(document: Document) -> None:
    """Raise ConfigError with every problem of the document, in the order of the file."""
    secrets = secret_problems(document)
    found = [*document.problems, *secrets.values()]
    found += [problem for path, problem in _schema_problems(document) if path not in secrets]
    found += rule_problems(document, set(secrets))
    found += [
        _later_value(document, path, node.value)
        for path, node in walk(document.root)
        if _is_later(path, node.value)
    ]
    if not found:
        return
    unique = {(str(problem), problem.code): problem for problem in found}.values()
    problems = sorted(unique, key=lambda one: (one.file or "", one.line or 0, one.column or 0))
    count = len(problems)
    problems = _shortened(document, problems)
    summary = problems[0].message if count == 1 else f"The experiment file has {count} problems."
    raise ConfigError(summary, problems=problems)


def _shortened(document: Document, problems: list[Problem]) -> list[Problem]:
    """Return the problems, of every file of questions the first few: it may have thousands of one kind."""
    left = dict.fromkeys(map(shown_path, document.question_files), MOST_OF_A_FILE)
    shown, more = list[Problem](), Counter[str]()
    for problem in problems:
        file = problem.file or ""
        if left.get(file, 1) > 0:
            shown.append(problem)
        else:
            more[file] += 1
        if file in left:
            left[file] -= 1
    for file, number in more.items():
        message = f"{number} more problems of this file are not shown"
        shown.append(Problem(message, code="prompt_file", file=file))
    return shown


def _schema_problems(document: Document) -> Iterator[tuple[KeyPath, Problem]]:
    for error in _validator().iter_errors(document.data):
        yield from _translated(document, error)


@functools.cache
def _validator() -> Any:
    import jsonschema  # 0.2 s, and only a file that is new or changed needs it

    return jsonschema.Draft202012Validator(json.loads(schema_text()))


def _translated(document: Document, error: Any) -> Iterator[tuple[KeyPath, Problem]]:
    path: KeyPath = tuple(error.absolute_path)
    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            for key in error.instance:
                if key not in known:
                    yield (*path, key), _unknown_key(document, (*path, key), known)
        case "required":
            for key in error.validator_value:
                if key not in error.instance:
                    yield (*path, key), _missing_key(document, path, key, error.schema)
        case _:
            if "propertyNames" in error.absolute_schema_path:
                path = (*path, error.instance)
            yield path, _wrong_value(document, path, error)


def _unknown_key(document: Document, path: KeyPath, known: list[str]) -> Problem:
    key = str(path[-1])
    plain_key = unicodedata.normalize("NFKC", key).strip()
    value = shown_value(_at(document.data, path))
    message = f"unknown key (its value: {value})"
    if plain_key != key and plain_key in known:
        hint = f"Did you mean `{plain_key}`? {masked(key)!r} is written with full-width characters."
    elif "\u3000" in key:
        hint = "The key contains a full-width space: indent with half-width spaces."
    else:
        near = _near_key(plain_key, known)
        hint = f"Did you mean `{near}`? " if near else ""
        if not near and _at(document.data, path) is None:  # the rest of an unquoted text, split at its comma
            hint = "If it is part of the text before it: a text with a comma needs quotes between { and }. "
        hint += f"Known here: {', '.join(known)}." if known else ""
    return document.problem(path, message, code="unknown_key", hint=hint or None, at_key=True)


def _near_key(key: str, known: list[str]) -> str | None:
    """Return the known key closest to `key`: a sibling, or a key path elsewhere."""
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if near:
        return near[0]
    elsewhere = dict(_key_paths(json.loads(schema_text())))
    near = difflib.get_close_matches(key, list(elsewhere), n=1, cutoff=0.75)
    return elsewhere[near[0]] if near else None


def _key_paths(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (key, key path) of every key below the root that is not an entry of a list."""
    definitions = schema["$defs"]
    pending = [("", schema["properties"])]
    while pending:
        above, properties = pending.pop()
        for key, one in properties.items():
            yield key, above + key
            inner = definitions[one["$ref"].rsplit("/", 1)[1]] if "$ref" in one else one
            if "properties" in inner:
                pending.append((f"{above}{key}.", inner["properties"]))


def _missing_key(document: Document, path: KeyPath, key: str, schema: Mapping[str, Any]) -> Problem:
    described = schema.get("properties", {}).get(key, {}).get("description")
    hint = "Add `version: 1` as the first line." if key == "version" and not path else described
    return document.problem(path, f"the key `{key}` is missing", code="missing_key", hint=hint, at_key=True)


def _wrong_value(document: Document, path: KeyPath, error: Any) -> Problem:
    value = error.instance
    if _is_later(path, value):
        return _later_value(document, path, value)
    hint = _hint(error)
    described = "" if error.validator in ("enum", "const") else _described(error.schema)
    message = f"{_complaint(error)}{described}"
    return document.problem(path, message, code="wrong_value", hint=hint)


def _is_later(path: KeyPath, value: Any) -> bool:
    """Return whether a later version is to support `value`."""
    return isinstance(value, str) and value in LATER_VALUES.get(_pattern(path), ())


def _later_value(document: Document, path: KeyPath, value: Any) -> Problem:
    message = f"{shown_value(value)} is not supported yet"
    return document.problem(path, message, code="not_in_this_version", hint=LATER_HINT)


def _pattern(path: KeyPath) -> str:
    named = path[:1] == ("targets",)
    return ".".join(
        "*" if isinstance(part, int) or (named and index == 1) else part for index, part in enumerate(path)
    )


def _complaint(error: Any) -> str:
    value, wanted = error.instance, error.validator_value
    shown = shown_value(value)
    match error.validator:
        case "type":
            names = [wanted] if isinstance(wanted, str) else wanted
            allowed = " or ".join(TYPES[name] for name in names if name != "null")
            return f"expected {allowed}, not {_kind(value)}{shown}"
        case "const" | "enum":
            allowed = json.dumps(wanted) if error.validator == "const" else ", ".join(map(str, wanted))
            return f"{shown} is not one of: {allowed}"
        case "minItems" | "minProperties" | "minLength":
            return f"{shown} is empty"
        case "maxLength":
            return f"{shown} is longer than {wanted} characters"
        case "uniqueItems":
            return f"{shown} has duplicates"
    return f"{shown} is not allowed"


def _kind(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "the truth value "
    if isinstance(value, (int, float)):
        return "the number "
    if isinstance(value, str):
        return "the text "
    return "the list " if isinstance(value, list) else ""


def _described(schema: Mapping[str, Any]) -> str:
    description = schema.get("description")
    # the first sentence says what is allowed; the others explain
    return f". Expected: {description.split('. ')[0].rstrip('.')}." if description else ""


def _hint(error: Any) -> str | None:
    value, wanted = error.instance, error.validator_value
    if error.validator == "enum" and isinstance(value, str):
        near = difflib.get_close_matches(value.lower(), [str(one) for one in wanted], n=1)
        return f"Did you mean {near[0]}?" if near else None
    if error.validator != "type":
        return None
    names = [wanted] if isinstance(wanted, str) else wanted
    if "object" in names and isinstance(value, str) and ("：" in value or "\u3000" in value):
        return "A key is followed by a full-width colon or space (：): YAML needs a half-width `: `."
    if "string" in names and isinstance(value, (int, float)):
        return f'Put quotes around it: "{json.dumps(value)}".'
    if "number" in names and isinstance(value, str) and any(map(str.isdecimal, value)):
        return "Write only the number, without unit or quotes: 5, or 0.1 for a tenth."
    if "array" in names and "object" not in names:
        return "Begin each entry of the list with `- `."
    return None


def _at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data
