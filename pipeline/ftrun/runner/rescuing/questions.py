"""What a rescue asks of whom: the experiment with every question as one of its eval prompts, and with the
tuned model and its base as its candidates.

So whatever knows an evaluation (budgets, deployments, kept answers) knows a rescue, and an evaluation that
asks the same later finds the answers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftrun.errors import UsageError
from ftrun.evaluation.asked.samples import (
    RowSamples,
    collect,
    held_out_samples,
    training_samples,
    with_own_ids,
)
from ftrun.experiment.evaluation import BASE, TUNED, is_built_in
from ftrun.experiment.model import CandidateSpec, EvalPrompt, Experiment
from ftrun.experiment.places import shown_path
from ftrun.paid.asking.questionnaire import tuned_model
from ftrun.scoring.types import Sample
from ftrun.workflow.context import Context

TRAIN_ROWS = 20  # training questions, where nobody says how many
LAST = ("user", "tool")  # whose message a question of a file may end with
MESSAGE_KEYS = frozenset(("role", "content", "name", "tool_calls", "tool_call_id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueOptions:
    """What to ask: how many rows of each split (None: all of the test split or, where there is none, of the
    validation split), how many answers per question (None: as `eval.repeat` says), files of questions, and
    whether the base model is asked too.
    """

    test_rows: int | None = None
    validation_rows: int | None = None
    train_rows: int = TRAIN_ROWS
    samples: int | None = None
    base: bool = True
    questions: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescue:
    """An experiment whose eval prompts are all questions of a rescue. `origins` says by id where a question
    is from; `notes` what is not asked, and why.
    """

    experiment: Experiment
    notes: tuple[str, ...]
    origins: Mapping[str, str] = field(default_factory=dict)


def tuned_spec(context: Context) -> CandidateSpec | None:
    """Return who the tuned model is: as the file says, the job's, or the one that was imported; None if there
    is none.
    """
    experiment = context.experiment
    own = _own_spec(experiment, TUNED)
    if own is not None and own.model is not None and not is_built_in(own.model):
        return own
    if tuned_model(context) is not None:
        return own or CandidateSpec(name=TUNED, model=TUNED, plain=True)
    imported = experiment.imported
    if imported is None or imported.fine_tuned_model is None:
        return None
    plain = own or CandidateSpec(name=TUNED)
    return dataclasses.replace(plain, model=imported.fine_tuned_model, plain=False)


def _own_spec(experiment: Experiment, name: str) -> CandidateSpec | None:
    """Return the candidate of that name in the file; None where recorded answers stand for it."""
    specs = experiment.evaluation.candidates
    return next((one for one in specs if one.name == name and one.answers is None), None)


def rescue_of(context: Context, tuned: CandidateSpec, options: RescueOptions) -> Rescue:
    """Return the experiment to ask; UsageError if there is nothing to ask."""
    experiment, notes = context.experiment, list[str]()
    base = _own_spec(experiment, BASE) or CandidateSpec(name=BASE, model=BASE, plain=True)
    evaluation = dataclasses.replace(
        experiment.evaluation,
        candidates=(tuned, *((base,) if options.base else ())),
        repeat=options.samples or experiment.evaluation.repeat,
        test_set=False,
        recall_sample=0,
        gates=(),
    )
    asked = dataclasses.replace(experiment, evaluation=evaluation)
    samples = list(_samples(context, asked, options, notes))
    if not samples and not evaluation.general:
        raise _nothing_to_ask(experiment)
    prompts, origins = _as_prompts(samples)
    evaluation = dataclasses.replace(evaluation, prompts=prompts)
    if evaluation.repeat > 1 and evaluation.sampling.get("temperature") == 0:
        notes.append(
            f"each question is asked {evaluation.repeat} times with temperature 0, which gives (nearly) the "
            "same answer each time: `--set eval.sampling.temperature=1` gives different ones"
        )
    return Rescue(
        experiment=dataclasses.replace(asked, evaluation=evaluation), notes=tuple(notes), origins=origins
    )


def _samples(
    context: Context, asked: Experiment, options: RescueOptions, notes: list[str]
) -> Iterator[tuple[str, Sample]]:
    """Yield every question with where it is from."""
    folder = context.path("train").parent
    found = collect(asked, folder)
    notes += found.notes
    yield from (("prompts", one) for one in found.samples if one.set != "general")
    test = held_out_samples(asked, folder, "test", options.test_rows)
    others = options.validation_rows
    if others is None and (test.samples or options.test_rows == 0):
        others = 0
    validation = held_out_samples(asked, folder, "validation", others)
    train = training_samples(asked, folder, options.train_rows)
    for split, drawn in (("test", test), ("validation", validation), ("training", train)):
        notes += _left_out(split, drawn)
        yield from ((split, one) for one in drawn.samples)


def _left_out(split: str, drawn: RowSamples) -> Iterator[str]:
    """Yield what to know about rows that are not asked."""
    if number := drawn.unusable["media"]:
        yield f"rows of the {split} data with images, audio or files, which are not asked: {number}"
    if number := drawn.unusable["incomplete"]:
        yield f"rows of the {split} data without a question or an answer, which are not asked: {number}"


def _as_prompts(samples: Sequence[tuple[str, Sample]]) -> tuple[tuple[EvalPrompt, ...], dict[str, str]]:
    """Return the questions as eval prompts, each with the messages that the sample has and the id that it has
    in an evaluation, and where each is from, by id.
    """
    own = list(with_own_ids(sample for _, sample in samples))
    prompts = tuple(
        EvalPrompt(
            id=one.id,
            messages=one.messages,
            own_system=True,
            reference=one.reference or None,
            expect=one.expect,
            tools=one.tools,
            tags=one.tags,
            group=one.cluster,
        )
        for one in own
    )
    return prompts, {one.id: origin for one, (origin, _) in zip(own, samples, strict=True)}


def _nothing_to_ask(experiment: Experiment) -> UsageError:
    file = shown_path(experiment.file)
    return UsageError(
        f"{experiment.name} has nothing to ask: no eval prompts, and no rows",
        code="nothing_to_ask",
        hint=f"Name a file of questions: ftrun rescue {file} --prompts questions.jsonl. A line of it is "
        '{"id": "one", "user": "…"}.',
    )


def entry_of(prompt: EvalPrompt, origin: str) -> dict[str, Any] | None:
    """Return a question as an entry of a file of questions, which asks exactly the same; None if no entry
    can: messages with parts, or that end with an answer.
    """
    messages = prompt.messages or ()
    last = messages[-1] if messages else {}
    writable = all(
        one.keys() <= MESSAGE_KEYS and isinstance(one.get("content"), str | None) for one in messages
    )
    if not writable or last.get("role") not in LAST:
        return None
    given: dict[str, Any] = {
        "id": prompt.id,
        **_asked(messages),
        "reference": prompt.reference,
        "expect": prompt.expect,
        "tools": list(prompt.tools),
        "tags": list(dict.fromkeys(prompt.tags)),
        "group": prompt.group,
    }
    kept = {name: one for name, one in given.items() if one or name == "system"}
    return {**kept, "_from": origin}


def _asked(messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return `system` and `user` where they say it all, which reads better, else the messages."""
    plain = all(one.keys() == {"role", "content"} and one["content"] for one in messages)
    roles = [one.get("role") for one in messages]
    if plain and roles == ["user"]:
        return {"system": None, "user": messages[0]["content"]}
    if plain and roles == ["system", "user"] and not str(messages[0]["content"]).endswith(".j2"):
        return {"system": messages[0]["content"], "user": messages[1]["content"]}
    return {"messages": [dict(one) for one in messages]}
