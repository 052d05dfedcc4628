"""Turn a validated `eval` into its dataclasses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ftrun.experiment.document import Document
from ftrun.experiment.model import CandidateSpec, EvalPrompt, Evaluation, ScorerSpec
from ftrun.experiment.nodes import one_spelling

TUNED, BASE = "tuned", "base"
DEFAULT_MODELS = (TUNED, BASE)
BUILT_IN_MODELS = (TUNED, BASE, "few-shot", "retrieval")
CHECKPOINT = re.compile(r"ckpt-step-[1-9][0-9]*")
DEFAULT_SAMPLING = {"temperature": 0, "max_tokens": 256, "seed": 42}


def evaluation_of(document: Document, raw: Mapping[str, Any]) -> Evaluation:
    """Return who is asked what, and how the answers are scored."""
    sampling = {**DEFAULT_SAMPLING, **raw.get("sampling", {})}
    models, general = raw.get("models", DEFAULT_MODELS), raw.get("general", False)
    test_set = raw.get("test_set", False)
    return Evaluation(
        candidates=tuple(_candidate(document, index, one) for index, one in enumerate(models)),
        prompts=tuple(_eval_prompt(one) for one in raw.get("prompts", ())),
        sampling={key: one_spelling(value) for key, value in sampling.items() if value is not None},
        test_set=test_set if isinstance(test_set, bool) else int(test_set),
        recall_sample=int(raw.get("recall_sample", 0)),
        general=document.general or bool(general),
        general_prompts=tuple(_eval_prompt(one) for one in general) if isinstance(general, list) else (),
        repeat=int(raw.get("repeat", 1)),
        metric=raw.get("metric"),
        scorers=tuple(_scorer(document, index, one) for index, one in enumerate(raw.get("scorers", ()))),
        gates=tuple(raw.get("gates", ())),
    )


def is_built_in(model: str) -> bool:
    """Return whether a candidate's model is resolved by ftrun: it is not a model's id."""
    return model in BUILT_IN_MODELS or CHECKPOINT.fullmatch(model) is not None


def _candidate(document: Document, index: int, raw: str | Mapping[str, Any]) -> CandidateSpec:
    if isinstance(raw, str):
        return CandidateSpec(name=raw, model=raw, plain=True)
    answers, model = raw.get("answers"), raw.get("model")
    if model is None and answers is None:
        model = raw["name"] if is_built_in(raw["name"]) else "base"
    folder = document.base(("eval", "models", index, "answers"))
    return CandidateSpec(
        name=raw["name"],
        model=model,
        target=raw.get("target"),
        system=raw.get("system"),
        own_system="system" in raw,
        few_shot=None if raw.get("few_shot") is None else int(raw["few_shot"]),
        retrieval=None if raw.get("retrieval") is None else int(raw["retrieval"]),
        answers=None if answers is None else folder / answers,
    )


def _scorer(document: Document, index: int, raw: str | Mapping[str, Any]) -> ScorerSpec:
    """Return a scorer with its options; a JSON Schema takes the place of its file."""
    if isinstance(raw, str):
        return ScorerSpec(name=raw)
    ((name, options),) = raw.items()
    given = one_spelling(dict(options or {}))
    schema = document.json_schemas.get(("eval", "scorers", index, name, "path"))
    if schema is not None:
        del given["path"]
        given["schema"] = schema
    return ScorerSpec(name=name, options=given)


def _eval_prompt(raw: Mapping[str, Any]) -> EvalPrompt:
    messages = raw.get("messages")
    return EvalPrompt(
        id=raw["id"],
        user=raw.get("user"),
        system=raw.get("system"),
        own_system="system" in raw,
        messages=None if messages is None else tuple(messages),
        reference=raw.get("reference"),
        expect=raw.get("expect"),
        tools=tuple(raw.get("tools", ())),
        tags=tuple(raw.get("tags", ())),
        group=raw.get("group"),
    )
