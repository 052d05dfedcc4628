"""/v1/fine_tuning/alpha/graders: run and validate, with the graders of evaluations."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, Depends

from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.errors import ApiError
from ftrun.installation import install_extra
from ftrun.scoring.graders.definitions import (
    Grader,
    GraderError,
    Multi,
    StringCheck,
    TextSimilarity,
    read_grader,
)
from ftrun.scoring.graders.formula import FormulaError
from ftrun.scoring.graders.scorer import sample_of
from ftrun.scoring.graders.templates import Namespace, TemplateError
from ftrun.scoring.types import Answer

LONGEST = 100_000  # characters of the sample, and of the item as JSON
MOST_GRADED = 1_000_000  # characters of all texts that a grader makes of them
# what can go wrong in a grader that runs, as the API names it; most of it can't happen here
FLAGS = (
    "formula_parse_error",
    "sample_parse_error",
    "truncated_observation_error",
    "unresponsive_reward_error",
    "invalid_variable_error",
    "other_error",
    "python_grader_server_error",
    "python_grader_runtime_error",
    "model_grader_server_error",
    "model_grader_refusal_error",
    "model_grader_parse_error",
)
DETAILS = (
    "python_grader_server_error_type",
    "python_grader_runtime_error_details",
    "model_grader_server_error_details",
)

router = APIRouter(prefix="/v1/fine_tuning/alpha/graders")
JsonBody = Annotated[Body, Depends(json_body)]


@router.post("/validate")
def validate(body: JsonBody) -> dict[str, Any]:
    """Return the grader if it can be used here."""
    definition, _ = _read(body)
    body.done()
    return {"grader": definition}


@router.post("/run")
def run(body: JsonBody) -> dict[str, Any]:
    """Return the grader's number for an item and what a model said."""
    definition, grader = _read(body)
    sample = body.text("model_sample", longest=LONGEST)
    if sample is None:
        body.missing("model_sample")
    item = body.object("item")
    body.done()
    found: Mapping[str, Any] = {} if item is None else item.values
    size = len(json.dumps(found, ensure_ascii=False))
    if size > LONGEST:
        body.refuse("item", f"must have at most {LONGEST} characters.")
    if _most_graded(grader, max(size, len(sample))) > MOST_GRADED:
        body.refuse("grader", f"makes texts of more than {MOST_GRADED} characters.")
    return _graded(definition, grader, {"item": found, "sample": sample_of(Answer(text=sample))})


def _graded(definition: Mapping[str, Any], grader: Grader, values: Namespace) -> dict[str, Any]:
    begun = time.monotonic()
    parts = grader.graders if isinstance(grader, Multi) else {grader.name: grader}
    scores = {name: part.grade(values).value for name, part in parts.items()}
    reward = grader.grade(values).value
    return {
        "reward": reward,
        "sub_rewards": scores if isinstance(grader, Multi) else {},
        "model_grader_token_usage_per_model": {},
        "metadata": {
            "name": grader.name,
            "type": definition["type"],
            "errors": _faults(grader, scores, values),
            "execution_time": round(time.monotonic() - begun, 6),
            "scores": scores,
            "token_usage": None,
            "sampled_model_name": None,
        },
    }


def _faults(grader: Grader, scores: Mapping[str, float], values: Namespace) -> dict[str, Any]:
    """Return the API's flags for why a reward is 0."""
    found = set()
    if isinstance(grader, Multi):
        try:
            grader.formula.of(scores)
        except FormulaError:
            found.add("formula_parse_error")
    for part in _texts_of(grader):
        try:
            part.texts(values)
        except TemplateError:
            broken = "output_json" not in values["sample"] and any("output_json" in p for p in part.paths)
            found.add("sample_parse_error" if broken else "invalid_variable_error")
    return {name: name in found for name in FLAGS} | dict.fromkeys(DETAILS)


def _read(body: Body) -> tuple[Mapping[str, Any], Grader]:
    """Return the grader's definition, and the grader; ApiError (400) if it is wrong or can't be run here."""
    given = body.required_object("grader")
    try:
        grader = read_grader(given.values, cosine=_no_cosine)
    except GraderError as error:
        message = f"The grader is wrong: {error}."
        raise ApiError(message, code="invalid_grader", param="grader") from error
    if any(isinstance(part, TextSimilarity) and part.measure is _no_cosine for part in _texts_of(grader)):
        body.refuse("grader", "can't use evaluation_metric cosine here.", code="unsupported_value")
    missing = sorted({package for package in grader.packages if find_spec(package) is None})
    if missing:
        message = (
            f"The grader needs packages that are not installed: {', '.join(missing)}. Install them: "
            f"{install_extra('eval')}"
        )
        raise ApiError(message, code="extra_missing", param="grader")
    return given.values, grader


def _most_graded(grader: Grader, longest: int) -> int:
    """Return how many characters the texts can have if each name in the templates stands for `longest`."""
    parts = _texts_of(grader)
    return sum(len(part.input) + len(part.reference) + len(part.paths) * longest for part in parts)


def _texts_of(grader: Grader) -> list[StringCheck | TextSimilarity]:
    parts = grader.graders.values() if isinstance(grader, Multi) else [grader]
    return [part for part in parts if isinstance(part, StringCheck | TextSimilarity)]


def _no_cosine(said: str, wanted: str) -> NoReturn:
    raise NotImplementedError
