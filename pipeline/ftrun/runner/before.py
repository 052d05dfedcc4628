"""`ftrun eval --before`: ask everybody who needs no training, before anything is trained or paid for it, and
say what fine-tuning would have to beat.

It writes before.json and before.md, never answers.jsonl or scores.json. The answers are kept, so that the run
that follows asks for none of them again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

from ftrun.errors import FtrunError, UsageError
from ftrun.evaluation.answers import Record
from ftrun.evaluation.candidates import RIVALS, needs_training
from ftrun.evaluation.results import BASE, Estimate, Scores, Verdict
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
    scores: Scores | None = None
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
            "--before is for experiments that train a model, and this one has no `train`",
            code="usage",
            hint=f"`{context.command('eval')}`",
        )
    if not context.experiment.evaluation.asks:
        raise UsageError(
            "there is nothing to ask",
            code="usage",
            hint="Add `eval.prompts`, or set `eval.test_set: true`.",
        )
    context.needs_files = True
    run_offline_stages(session, context, Outcome())
    context.experiment = untrained(context.experiment)
    from ftrun.paid.evaluating import answer, scored
    from ftrun.paid.verifying import verify_evaluation

    verify_evaluation(context)
    check_target(context)
    settle_identity(context)
    asked = questionnaire(context)
    _approve(context, asked)
    answers, _ = answer(context, asked)
    scores, before.records = scored(context, asked, answers)
    verdict = to_beat(scores, better=_better(context, asked, scores))
    before.scores = dataclasses.replace(scores, verdict=verdict)
    write_json(context.folder / DOCUMENT, before.scores.as_dict())


def untrained(experiment: Experiment) -> Experiment:
    """Return the experiment with everybody who needs no training: base first, few-shot, retrieval, and the
    others of the file. Gates are about the tuned model, so there are none.
    """
    evaluation = experiment.evaluation
    own = [one for one in evaluation.candidates if not needs_training(one)]
    names = {one.name for one in own}
    rivals = [CandidateSpec(name=one, model=one, plain=True) for one in RIVALS if one not in names]
    candidates = tuple(sorted((*rivals, *own), key=lambda one: one.name != BASE))
    return dataclasses.replace(
        experiment, evaluation=dataclasses.replace(evaluation, candidates=candidates, gates=())
    )


def _approve(context: Context, asked: Questionnaire) -> None:
    """Ask for consent where the missing answers cost money."""
    missing = asked.missing()
    context.emit("note", text=f"{len(missing)} of {len(asked.all())} answers will be asked for")
    if not missing or context.free:
        return
    from ftrun.paid.budgets import estimate

    found = estimate(context, evaluate=True, requests=missing)
    approve(context, found or {}, frozenset((STAGE,)), paid=True)


def _better(context: Context, asked: Questionnaire, scores: Scores) -> int:
    """Return 1 if more of the metric is better, -1 if less is."""
    from ftrun.evaluation.evaluate import metrics_of
    from ftrun.scoring.scorers import scorers_for

    evaluation = context.experiment.evaluation
    scorers = scorers_for(evaluation.scorers, asked.samples, context.settings.scorers)
    found = (one for one in metrics_of(scorers, asked.samples) if one.name == scores.metric)
    return -1 if any(one.higher_is_better is False for one in found) else 1


def to_beat(scores: Scores, *, better: int) -> Verdict:
    """Return what fine-tuning would have to beat: the best of those who need none."""
    known = {name: one for name in scores.candidates if (one := scores.estimate(name, scores.metric))}
    values = {name: one.value for name, one in known.items() if one.value is not None}
    if not values:
        return Verdict(
            decision="not_enough_evidence",
            reasons=("Nothing can be scored: no question has a reference or an `expect`.",),
        )
    whole = max(known[name].n for name in values)  # fewer recorded answers can't be compared
    best = max((name for name in values if known[name].n == whole), key=lambda name: better * values[name])
    return Verdict(
        decision="not_enough_evidence",
        reasons=(_beaten(best, str(scores.metric), known[best]), *_already_better(scores)),
    )


def _beaten(name: str, metric: str, found: Estimate) -> str:
    value, n = f"{found.value:.4g}", found.n
    if found.low is None or found.high is None:
        return f"Fine-tuning would have to beat {name}: {metric} {value} (n = {n}: too few for an interval)."
    low, high = f"{found.low:.4g}", f"{found.high:.4g}"
    return f"Fine-tuning would have to beat {name}: {metric} {value} ({low} to {high}, n = {n})."


def _already_better(scores: Scores) -> Iterator[str]:
    """Yield who is significantly better than the base model without any training."""
    for one in scores.against():
        if one.a == BASE and one.worse:
            yield f"{one.b} is significantly better than base, without training: its prompts are longer."
