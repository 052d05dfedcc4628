"""Grader definitions of OpenAI's API, read and checked: string_check, text_similarity and multi.

A grader gives a number for a question (`item`) and an answer (`sample`), as `templates` describes them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ftrun.scoring.graders.formula import Formula, FormulaError
from ftrun.scoring.graders.similarity import MEASURES, PACKAGES, Measure
from ftrun.scoring.graders.templates import Namespace, TemplateError, filled, path_fault, paths_in

OPERATIONS = ("eq", "ne", "like", "ilike")
NOT_SUPPORTED = {
    "score_model": "a model as judge is not supported yet",
    "label_model": "a model as judge is not supported yet",
    "python": "code is never run from an experiment file; write a scorer of your own (docs/scorers.md)",
}
TYPES = ("string_check", "text_similarity", "multi")


class GraderError(ValueError):
    """A definition is wrong; the message says where and why."""


class Grade(NamedTuple):
    """A grader's number, and why in words."""

    value: float
    explanation: str = ""


class Grader(Protocol):
    """Grades an answer. `binary`: its numbers are 0 or 1. `packages`: what it needs."""

    @property
    def name(self) -> str: ...
    @property
    def binary(self) -> bool: ...
    @property
    def packages(self) -> Sequence[str]: ...
    @property
    def paths(self) -> Sequence[str]: ...

    def grade(self, values: Namespace) -> Grade:
        """Return the number for `values`: {"item": …, "sample": …}."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What graders of two texts have in common: templates of the text graded and of the reference."""

    name: str
    input: str
    reference: str

    @property
    def paths(self) -> Sequence[str]:
        """Return the names in the templates."""
        return (*paths_in(self.input), *paths_in(self.reference))

    def texts(self, values: Namespace) -> tuple[str, str]:
        """Return both texts. TemplateError if a name in them has no value."""
        return filled(self.input, values), filled(self.reference, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class StringCheck(Texts):
    """1 if the text equals the reference (`eq`), doesn't (`ne`), contains it (`like`), or does so in any case
    of letters (`ilike`).
    """

    operation: str
    binary: bool = True
    packages: Sequence[str] = ()

    def grade(self, values: Namespace) -> Grade:
        """Compare the texts."""
        try:
            text, reference = self.texts(values)
        except TemplateError as error:
            return Grade(0.0, str(error))
        match self.operation:
            case "eq":
                return Grade(float(text == reference))
            case "ne":
                return Grade(float(text != reference))
            case "like":
                return Grade(float(reference in text))
        return Grade(float(reference.casefold() in text.casefold()))


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSimilarity(Texts):
    """How similar the text is to the reference, 0-1."""

    measure: Measure
    packages: Sequence[str]
    binary: bool = False

    def grade(self, values: Namespace) -> Grade:
        """Measure the texts."""
        try:
            return Grade(self.measure(*self.texts(values)))
        except TemplateError as error:
            return Grade(0.0, str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Multi:
    """A formula over other graders' numbers."""

    name: str
    graders: Mapping[str, Grader]
    formula: Formula
    binary: bool = False

    @property
    def packages(self) -> Sequence[str]:
        """Return what its graders need."""
        return [one for grader in self.graders.values() for one in grader.packages]

    @property
    def paths(self) -> Sequence[str]:
        """Return the names in its graders' templates."""
        return [one for grader in self.graders.values() for one in grader.paths]

    def grade(self, values: Namespace) -> Grade:
        """Compute the formula; 0 where it has no value."""
        grades = {name: grader.grade(values) for name, grader in self.graders.items()}
        words = [f"{name} {one.value:.4g}" for name, one in grades.items()]
        try:
            value = self.formula.of({name: one.value for name, one in grades.items()})
        except FormulaError as error:
            return Grade(0.0, f"the formula has no value: {error}")
        return Grade(value, ", ".join(words))


def read_grader(definition: Any, *, cosine: Measure | None = None, named: str | None = None) -> Grader:
    """Return the grader of a definition. `cosine`: the measure of that name, which takes an embedding model.

    `named`: its name where the definition has none. GraderError says what is wrong.
    """
    if not isinstance(definition, Mapping):
        raise GraderError("a grader must be a mapping with `type`")
    kind = definition.get("type")
    if isinstance(kind, str) and kind in NOT_SUPPORTED:
        raise GraderError(f"{kind}: {NOT_SUPPORTED[kind]}")
    match kind:
        case "string_check":
            given = _given(definition, ("input", "reference", "operation"), named)
            if given["operation"] not in OPERATIONS:
                raise GraderError(f"`operation` must be one of {', '.join(OPERATIONS)}")
            name, text, reference, operation = given.values()
            return _checked(StringCheck(name=name, input=text, reference=reference, operation=operation))
        case "text_similarity":
            given = _given(definition, ("input", "reference", "evaluation_metric"), named)
            name, text, reference, metric = given.values()
            measure, packages = _measure(metric, cosine)
            return _checked(
                TextSimilarity(name=name, input=text, reference=reference, measure=measure, packages=packages)
            )
        case "multi":
            return _multi(definition, cosine, named)
    raise GraderError(f"`type` must be one of {', '.join((*TYPES, *NOT_SUPPORTED))}")


def _measure(metric: str, cosine: Measure | None) -> tuple[Measure, Sequence[str]]:
    if metric == "cosine":
        if cosine is None:
            raise GraderError(
                "`evaluation_metric: cosine` needs an embedding model: add `embedding: {model: …}`"
            )
        return cosine, ()
    if metric not in MEASURES:
        raise GraderError(f"`evaluation_metric` must be one of cosine, {', '.join(MEASURES)}")
    family = "rouge" if metric.startswith("rouge") else metric
    return MEASURES[metric], PACKAGES[family]


def _multi(definition: Mapping[str, Any], cosine: Measure | None, named: str | None) -> Multi:
    given = _given(definition, ("calculate_output",), named, others=("graders",))
    listed = definition.get("graders")
    if isinstance(listed, Mapping) and isinstance(listed.get("type"), str):  # one, as the API's schema has it
        listed = [listed]
    if isinstance(listed, Mapping):
        graders = {name: _inner(one, cosine, name) for name, one in listed.items()}
    elif isinstance(listed, list | tuple):
        graders = {one.name: one for one in (_inner(one, cosine, None) for one in listed)}
        if len(graders) < len(listed):
            raise GraderError("two of its graders have the same name")
    else:
        raise GraderError("`graders` must be a mapping of names to graders")
    try:
        formula = Formula(given["calculate_output"], graders.keys())
    except FormulaError as error:
        raise GraderError(f"`calculate_output` {given['calculate_output']!r}: {error}") from None
    return Multi(name=given["name"], graders=graders, formula=formula)


def _inner(definition: Any, cosine: Measure | None, named: str | None) -> Grader:
    if isinstance(definition, Mapping) and definition.get("type") == "multi":
        raise GraderError("a multi grader can't contain another one")
    return read_grader(definition, cosine=cosine, named=named)


def _given(
    definition: Mapping[str, Any], texts: Sequence[str], named: str | None, others: Sequence[str] = ()
) -> dict[str, str]:
    """Return the texts of a definition and its name. GraderError if one is missing or unknown."""
    known = ("type", "name", *texts, *others)
    for key in definition:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            tip = f"; did you mean {near[0]!r}?" if near else ""
            raise GraderError(f"{definition['type']} has no `{key}`{tip}")
    given = {"name": named, **definition} if named is not None else definition
    for key in ("name", *texts):
        if not isinstance(given.get(key), str):
            raise GraderError(f"{definition['type']} needs `{key}`, a text")
    return {key: given[key] for key in ("name", *texts)}


def _checked(grader: StringCheck | TextSimilarity) -> Grader:
    for path in grader.paths:
        fault = path_fault(path)
        if fault:
            raise GraderError(fault)
    return grader
