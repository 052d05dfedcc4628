"""A grader as a scorer of the evaluation: `{grader: {…}}` in `eval.scorers`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftrun.scoring.embedding import embedder_of
from ftrun.scoring.graders.definitions import Grader, GraderError, read_grader
from ftrun.scoring.graders.similarity import Measure
from ftrun.scoring.graders.templates import Namespace
from ftrun.scoring.metrics import Mean
from ftrun.scoring.options import Options
from ftrun.scoring.texts.json_values import NotJson, parsed
from ftrun.scoring.types import Answer, Sample, Score

OF_ITEM = ("id", "question", "reference", "system", "tags")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """The number of a grader."""

    name: str
    metrics: tuple[Mean, ...]
    grader: Grader
    needs_reference: bool

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return the grader's number; None without the reference that it compares with."""
        if self.needs_reference and sample.reference is None:
            return None
        grade = self.grader.grade({"item": item_of(sample), "sample": sample_of(answer)})
        return Score(value=grade.value, explanation=grade.explanation)


def item_of(sample: Sample) -> Namespace:
    """Return what templates can name of a question."""
    question = next((one.get("content") for one in reversed(sample.turns) if one.get("role") == "user"), None)
    known = {"question": question, "reference": sample.reference, "system": sample.system}
    given = {name: value for name, value in known.items() if value is not None}
    return {"id": sample.id, "tags": list(sample.tags), **given}


def sample_of(answer: Answer) -> Namespace:
    """Return what templates can name of an answer; `output_json` only if it is JSON."""
    value = parsed(answer.text)
    found = {} if isinstance(value, NotJson) else {"output_json": value}
    return {"output_text": answer.text, "output_tools": [dict(one) for one in answer.tool_calls], **found}


def make_grader(options: Options) -> Graded:
    """Return the scorer of a grader's definition, called as the grader is.

    The options are the definition; with `embedding: {model: …}` beside it `cosine` is a measure, too.
    """
    definition = options.rest()
    cosine = _cosine(definition.pop("embedding", None), checking=options.checking)
    try:
        grader = read_grader(definition, cosine=cosine)
    except GraderError as error:
        raise options.error(f"The grader {definition.get('name', '')!s} is wrong: {error}.") from None
    options.require(*sorted({"numpy", *grader.packages}))
    names = {path.split(".")[1] for path in grader.paths if path.startswith("item.")}
    for name in sorted(names - set(OF_ITEM)):
        raise options.error(
            f"The grader {grader.name} names item.{name}, which questions don't have.",
            hint=f"Of a question there are: {', '.join(f'item.{one}' for one in OF_ITEM)}.",
        )
    metric = Mean(name=grader.name, binary=grader.binary)
    return Graded(name=grader.name, metrics=(metric,), grader=grader, needs_reference="reference" in names)


def _cosine(given: Any, *, checking: bool) -> Measure | None:
    if given is None:
        return None
    options = Options(
        "embedding", given if isinstance(given, Mapping) else {"model": given}, checking=checking
    )
    embedder = embedder_of(options)
    options.end()
    return embedder.similarity
