"""What an evaluation depends on: its fingerprint, by which it runs again or is skipped.

What version 0.1 did not know is an input only where it is set: what was evaluated then stays so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftrun.experiment.model import CandidateSpec, EvalPrompt, Template
from ftrun.files import sha256_file
from ftrun.paid.job_spec import spec_key
from ftrun.targets import identity_of
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, by_fingerprint

STAGE = "evaluate"
VERSION = 1
OUTPUTS = ("answers.jsonl", "scores.json")
ADDED = {"reference": None, "tools": (), "tags": (), "group": None}  # keys of a question that came later


def evaluation_inputs(context: Context) -> dict[str, Any]:
    """Return which model is asked, by whom, what, how it is sampled, and how answers are scored."""
    evaluation, prompt = context.experiment.evaluation, context.experiment.prompt
    own = (prompt.system.text if prompt.system else None) or [
        one.content.text
        for one in prompt.messages or ()
        if one.role == "system" and isinstance(one.content, Template)
    ]
    return {
        "evaluation version": VERSION,
        "job": spec_key(context),
        "eval prompts": [_asked(one) for one in evaluation.prompts],
        "rivals": [one.name if one.plain else _written(context, one) for one in evaluation.candidates],
        "sampling": dict(evaluation.sampling),
        "system prompt": [own, dict(prompt.vars), prompt.dependencies] if own else context.sha("train"),
        **_more_questions(context),
        **_how_scored(context),
    }


def _asked(prompt: EvalPrompt) -> dict[str, Any]:
    """Return a question as an input; what version 0.1 did not know is one only where it is set."""
    values = dataclasses.asdict(prompt)
    return {name: one for name, one in values.items() if name not in ADDED or one != ADDED[name]}


def _written(context: Context, spec: CandidateSpec) -> dict[str, Any]:
    """Return a candidate that was written as a mapping as an input; of files, the content counts."""
    values = dataclasses.asdict(spec)
    default = dataclasses.asdict(CandidateSpec(name=spec.name))
    kept = {name: one for name, one in values.items() if one != default[name] or name == "name"}
    if spec.target is not None:
        kept["target"] = _address(context, spec.target)
    return kept if spec.answers is None else {**kept, "answers": _content(spec.answers)}


def _more_questions(context: Context) -> dict[str, Any]:
    from ftrun.evaluation.asked.candidates import needs_rows

    evaluation = context.experiment.evaluation
    rows = evaluation.recall_sample or any(map(needs_rows, evaluation.candidates))
    found = {
        "test set": [evaluation.test_set, context.sha("test")] if evaluation.test_set else None,
        "recall sample": evaluation.recall_sample,
        "training rows": context.sha("train") if rows else None,
        "general": [_asked(one) for one in evaluation.general_prompts] or evaluation.general,
        "repeat": evaluation.repeat if evaluation.repeat > 1 else None,
    }
    return {name: value for name, value in found.items() if value}


def _how_scored(context: Context) -> dict[str, Any]:
    evaluation = context.experiment.evaluation
    scorers = [
        [spec.name, {name: _content_of(one) for name, one in spec.options.items()}]
        for spec in evaluation.scorers
    ]
    found = {
        "scorers": scorers,
        "custom scorers": list(context.settings.scorers),
        "metric": evaluation.metric,
        "gates": list(evaluation.gates),
    }
    return {name: value for name, value in found.items() if value}


def _content_of(option: Any) -> Any:
    """Return an option; of one that names a file, the hash of the file."""
    is_file = isinstance(option, Path) or (isinstance(option, str) and Path(option).is_absolute())
    return _content(Path(option)) if is_file else option


def _content(path: Path) -> str | None:
    return sha256_file(path) if path.is_file() else None


def _address(context: Context, target: str) -> list[str]:
    """Return the name of a target, and the account or store that it is."""
    found = next((one for one in context.experiment.targets if one.name == target), None)
    return [target] if found is None else [target, origin_of(identity_of(found))]


def evaluation_outputs(context: Context) -> tuple[str, ...]:
    """Return the files that it writes; where answers cost money a fresh clone does not ask for them again.
    `ftrun eval` needs them: it takes the answers from the history.
    """
    return OUTPUTS if context.free or context.settings.evaluate_only else ()


def evaluation_decision(context: Context) -> Decision:
    """Run when the model, the questions or the sampling changed."""
    return by_fingerprint(context, STAGE, evaluation_inputs(context), evaluation_outputs(context))


def origin_of(identity: Mapping[str, Any]) -> str:
    """Return what distinguishes models of one name: on two stores or servers they are two models."""
    return str(identity.get("store") or identity.get("origin") or "")
