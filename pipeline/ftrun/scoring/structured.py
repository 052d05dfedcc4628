"""Scorers of answers that are JSON: whether they are valid, whether they fit a schema, and how many of the
fields of the reference they have."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.scoring.metrics import CountedF1, Mean, share
from ftrun.scoring.options import Options
from ftrun.scoring.texts.json_values import NotJson, parsed, short
from ftrun.scoring.texts.normal_form import normalised
from ftrun.scoring.types import Answer, Sample, Score
from ftrun.untrusted import CapError, Capped


@dataclass(frozen=True, slots=True, kw_only=True)
class Json:
    """Whether the answer is JSON and nothing else; `fenced`: it may be in one code block."""

    name: str
    metrics: tuple[Mean, ...]
    fenced: bool

    def score(self, sample: Sample, answer: Answer) -> Score:
        """Return 1 for valid JSON."""
        value = parsed(answer.text, fenced=self.fenced)
        if isinstance(value, NotJson):
            return Score(value=0.0, explanation=f"is not JSON: {value.reason}")
        return Score(value=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSchema:
    """Whether the answer is JSON that fits a schema. Schemas can have patterns, so the validator is in a
    process that can be killed.
    """

    name: str
    metrics: tuple[Mean, ...]
    fenced: bool
    validator: Capped

    def score(self, sample: Sample, answer: Answer) -> Score:
        """Return 1 if it fits."""
        value = parsed(answer.text, fenced=self.fenced)
        if isinstance(value, NotJson):
            return Score(value=0.0, explanation=f"is not JSON: {value.reason}")
        try:
            fault = self.validator.call("fault", value)
        except CapError as error:
            fault = f"can't be checked against the schema: {error}"
        return Score(value=float(not fault), explanation=fault)


class Validator:
    """Checks values against a schema; references to other documents are not followed."""

    def __init__(self, schema: Any) -> None:
        from jsonschema.validators import Draft202012Validator, validator_for
        from referencing import Registry

        self._schema = schema
        self._class: Any = validator_for(schema, default=Draft202012Validator)
        self._validator = self._class(schema, registry=Registry())

    def schema_fault(self) -> str:
        """Return what is wrong with the schema; nothing if it is sound."""
        from jsonschema import SchemaError
        from referencing import Registry
        from referencing.exceptions import Unresolvable
        from referencing.jsonschema import DRAFT202012

        try:
            self._class.check_schema(self._schema)
        except SchemaError as error:
            return _located(error.message, error.absolute_path)
        root = self._schema.get("$id", "") if isinstance(self._schema, Mapping) else ""
        resolver = Registry().with_resource(root, DRAFT202012.create_resource(self._schema)).resolver(root)
        for reference in _references(self._schema):
            try:
                resolver.lookup(reference)
            except Unresolvable:
                return f"nothing is at {reference}"
        return ""

    def fault_path(self) -> list[str | int]:
        """Return where in the schema something is wrong: keys and indexes; nothing where it is sound."""
        from jsonschema import SchemaError

        try:
            self._class.check_schema(self._schema)
        except SchemaError as error:
            return list(error.absolute_path)
        return []

    def fault(self, value: Any) -> str:
        """Return what is wrong with a value; nothing if it fits."""
        from jsonschema.exceptions import best_match

        try:
            error = best_match(self._validator.iter_errors(value))
        except RecursionError:
            return "it is nested too deeply to be checked"
        return "" if error is None else _located(error.message, error.absolute_path)


def fault_path(schema: Any) -> list[str | int]:
    """Return where in a schema something is wrong, as far as that can be said."""
    if not isinstance(schema, Mapping):
        return []
    try:
        found: list[str | int] = Capped(Validator, schema).call("fault_path")
    except CapError:
        return []
    return found


def _located(message: str, path: Any) -> str:
    place = ".".join(map(str, path))
    text = message if len(message) <= 200 else f"{message[:199]}…"
    return f"{place}: {text}" if place else text


def _references(schema: Any) -> Iterator[str]:
    """Yield the references of a schema that belong to its root."""
    if isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)
    elif isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for name, inner in schema.items():
            own_root = isinstance(inner, Mapping) and "$id" in inner
            if name not in ("const", "enum", "default", "examples") and not own_root:
                yield from _references(inner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """Which fields of the reference the answer has with the same value.

    A field is the path of a value that is neither an object nor a list; of a list, its elements without their
    places. Texts are compared in normal form, numbers by value. `statistics`: right fields, those of the
    answer, those of the reference.
    """

    name: str
    metrics: tuple[CountedF1, ...]
    fenced: bool
    case: bool

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return the F1 of this answer; None where the reference is not a JSON object or list."""
        reference = NotJson("") if sample.reference is None else parsed(sample.reference)
        if not isinstance(reference, dict | list):
            return None
        wanted = Counter(_fields(reference, case=self.case))
        value = parsed(answer.text, fenced=self.fenced)
        said = Counter() if isinstance(value, NotJson) else Counter(_fields(value, case=self.case))
        right = (said & wanted).total()
        total = said.total() + wanted.total()
        words = f"is not JSON: {value.reason}" if isinstance(value, NotJson) else _differences(said, wanted)
        return Score(
            value=2 * right / total if total else 1.0,
            explanation=words,
            statistics=(right, said.total(), wanted.total()),
        )


Field = tuple[str, str]  # path and value


def _fields(value: Any, path: str = "", *, case: bool) -> Iterator[Field]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _fields(inner, f"{path}.{name}" if path else name, case=case)
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, f"{path}[]", case=case)
    elif isinstance(value, str):
        yield path, json.dumps(normalised(value, case=case), ensure_ascii=False)
    elif isinstance(value, float | int) and not isinstance(value, bool):
        yield path, f"{float(value):.12g}" if abs(value) < 2**53 else str(value)
    else:
        yield path, json.dumps(value)


def _differences(said: Counter[Field], wanted: Counter[Field]) -> str:
    """Say which fields are wrong, missing or too many."""
    missing, extra = dict(wanted - said), dict(said - wanted)
    names = [f"{path} should be {short(json.loads(value))}" for path, value in missing]
    lacking = {path for path, _ in missing}
    names += [f"{path} is not expected" for path, _ in extra if path not in lacking]
    return "; ".join(names[:5]) + (f"; and {len(names) - 5} more" if len(names) > 5 else "")


def make_json(options: Options) -> Json:
    """Return the scorer `json`."""
    name = options.text("name", "json")
    metric = "json_valid" if name == "json" else name
    return Json(name=name, metrics=(share(metric),), fenced=options.flag("fenced", False))


def make_json_schema(options: Options) -> JsonSchema:
    """Return the scorer `json_schema`, with the schema of a file or of the experiment file itself."""
    name = options.text("name", "json_schema")
    path, schema = options.take("path"), options.take("schema")
    if (path is None) == (schema is None):
        raise options.error("The scorer json_schema needs either `path` or `schema`.")
    where = "`schema`" if path is None else str(path)
    if path is not None:
        schema = _read(options, path)
    if not isinstance(schema, Mapping | bool):
        raise options.error(
            f"The schema of the scorer {name} ({where}) must be an object, not {short(schema)}."
        )
    validator = Capped(Validator, schema)
    try:
        fault = validator.call("schema_fault")
    except CapError as error:
        fault = str(error)
    if fault:
        raise options.error(f"The schema of the scorer {name} ({where}) is broken: {fault}")
    return JsonSchema(
        name=name, metrics=(share(name),), fenced=options.flag("fenced", False), validator=validator
    )


def _read(options: Options, path: Any) -> Any:
    if not isinstance(path, str | Path):
        raise options.fault("path", path, "the path of a JSON file")
    try:
        value = parsed(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise options.error(f"The schema {path} can't be read: {error}") from None
    if isinstance(value, NotJson):
        raise options.error(f"The schema {path} is not JSON: {value.reason}")
    return value


def make_extraction(options: Options) -> Extraction:
    """Return the scorer `extraction`."""
    options.require("numpy")
    return Extraction(
        name="extraction",
        metrics=(CountedF1(name="field_f1"),),
        fenced=options.flag("fenced", False),
        case=options.flag("case", True),
    )
