"""`ftrun eval --before`: ask everybody who needs no training, before anything is trained or paid for it, and
say what fine-tuning would have to beat.

It writes before.json and before.md, never answers.jsonl or scores.json. The answers are kept, so that the run
that follows asks for none of them again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from ftrun.cost.amounts import cost_words
from ftrun.cost.candidates import target_named
from ftrun.errors import FtrunError, UsageError
from ftrun.evaluation.answers import Record
from ftrun.evaluation.asked.candidates import RIVALS, needs_training
from ftrun.evaluation.results import BASE, Scores, Verdict
from ftrun.evaluation.verdict.to_beat import to_beat
from ftrun.experiment.model import CandidateSpec, Experiment
from ftrun.files import write_atomic, write_json
from ftrun.paid.asking.eval_inputs import STAGE
from ftrun.paid.asking.questionnaire import Questionnaire, questionnaire
from ftrun.paid.budgets import check_run, estimate
from ftrun.report.facts import Facts
from ftrun.report.localizing import data_language, question_texts
from ftrun.report.markdown import before_markdown
from ftrun.report.provenance import provenance
from ftrun.runner.apply import (
    Outcome,
    approve,
    check_targets,
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
    from ftrun.paid.asking.evaluating import answer, know_stores, scored
    from ftrun.paid.asking.verifying import verify_evaluation

    verify_evaluation(context)
    check_targets(context)
    settle_identity(context)
    know_stores(context)
    asked = questionnaire(context)
    _approve(context, asked)
    answers, _ = answer(context, asked)
    scores, before.records = scored(context, asked, answers)
    verdict = Verdict(decision="not_enough_evidence", reasons=to_beat(scores))
    before.scores = scores = dataclasses.replace(scores, verdict=verdict)
    write_json(context.folder / DOCUMENT, scores.as_dict())
    page = before_markdown(_facts(context, scores, before.records))
    write_atomic(context.folder / PAGE, page.encode())
    if context.spent and not context.free:
        check_run(context)


def _facts(context: Context, scores: Scores, records: Sequence[Record]) -> Facts:
    experiment, named = context.experiment, context.experiment.report.language
    language = named or data_language(question_texts(records), context.result("check").get("language"))
    store = context.state.identity.get("store")
    return Facts.from_json(
        {
            "experiment": {
                "name": experiment.name,
                "description": experiment.description,
                "file": context.state.file,
            },
            "target": experiment.target,
            "status": "pending",
            "provenance": provenance(experiment, store=store, dtype=None, ended=None),
            "scores": scores,
            "answers": records,
            "language": language,
        }
    )


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
    many, total = len(missing), len(asked.all())
    context.emit("note", text=f"{many} of {total} answer{'' if total == 1 else 's'} will be requested")
    providers = {target_named(context.experiment, one.candidate.target).provider for one in missing}
    if not providers - {"local"}:
        return
    found = estimate(context, evaluate=True, requests=missing) or {}
    if found:
        context.emit("note", text=f"estimate: {cost_words(found)}")
    approve(context, found, frozenset((STAGE,)), paid=True)
