"""`ftrun eval --before`: ask everybody who needs no training, before anything is trained or paid for it, and
say what fine-tuning would have to beat.

It writes before.json and before.md, never answers.jsonl or scores.json. The answers are kept, so that the run
that follows asks for none of them again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ftrun.errors import FtrunError, UsageError
from ftrun.evaluation.answers import Record
from ftrun.evaluation.candidates import RIVALS, needs_training
from ftrun.experiment.model import CandidateSpec, Experiment
from ftrun.files import write_json
from ftrun.paid.questions import STAGE, Questionnaire, questionnaire
from ftrun.runner.apply import (
    Outcome,
    approve,
    check_target,
    locked_context,
    run_offline_stages,
    settle_identity,
)
from ftrun.runner.session import Session
from ftrun.workflow.context import Context, Emit, RunSettings

DOCUMENT, PAGE = "before.json", "before.md"


@dataclass(slots=True, kw_only=True)
class Before:
    """What was found, and what ended it early, if anything did."""

    records: list[Record] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)
    error: BaseException | None = None


def evaluate_before(session: Session, settings: RunSettings, emit: Emit) -> Before:
    """Ask and score the candidates that need no training; within the budget, and with consent."""
    before = Before()
    emit("begin")
    try:
        with session.named(), locked_context(session, settings, emit) as context:
            _evaluate(session, context, before)
    except (FtrunError, KeyboardInterrupt) as error:
        before.error = error
    return before


def _evaluate(session: Session, context: Context, before: Before) -> None:
    if not context.experiment.trains:
        raise UsageError(
            "--before is for experiments that train a model: this one has no `train`",
            code="usage",
            hint=f"`{context.command('eval')}`",
        )
    context.needs_files = True
    run_offline_stages(session, context, Outcome())
    context.experiment = untrained(context.experiment)
    verify_untrained(context)
    check_target(context)
    settle_identity(context)
    asked = questionnaire(context)
    _approve(context, asked)
    from ftrun.paid.evaluating import answer, judged

    answers, _ = answer(context, asked)
    before.records = judged(answers)
    before.scores = _scores(before.records)
    write_json(context.folder / DOCUMENT, before.scores)


def _scores(records: Sequence[Record]) -> dict[str, Any]:
    from ftrun.evaluation.scores import score

    return score(records).as_dict()


def verify_untrained(context: Context) -> None:
    """Refuse what can't be asked or scored."""
    from ftrun.paid.verifying import verify_evaluation

    verify_evaluation(context)


def untrained(experiment: Experiment) -> Experiment:
    """Return the experiment with everybody who needs no training: base, few-shot, retrieval, and the others
    of the file. Gates are about the tuned model, so there are none.
    """
    evaluation = experiment.evaluation
    own = [one for one in evaluation.candidates if not needs_training(one)]
    names = {one.name for one in own}
    rivals = [CandidateSpec(name=one, model=one, plain=True) for one in RIVALS if one not in names]
    candidates = (*rivals, *own)
    return dataclasses.replace(
        experiment, evaluation=dataclasses.replace(evaluation, candidates=candidates, gates=())
    )


def _approve(context: Context, asked: Questionnaire) -> None:
    """Ask for consent where the missing answers cost money."""
    missing = asked.missing()
    context.emit("note", text=f"{len(missing)} of {len(asked.all())} answers will be asked for")
    if not missing or context.local:
        return
    from ftrun.paid.budgets import estimate

    found = estimate(context, evaluate=True, answered=asked.answered())
    approve(context, found or {}, frozenset((STAGE,)), paid=True)
