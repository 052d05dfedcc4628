"""Ask what is not answered yet, keep every answer at once, and score all of them: for the evaluate stage and
for `ftrun eval --before`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from ftrun.cost.candidates import other_targets, priced_candidate
from ftrun.cost.prices import answers_usd
from ftrun.evaluation.answers import Candidate, Record, collect
from ftrun.evaluation.evaluate import evaluate
from ftrun.evaluation.results import Scores
from ftrun.evaluation.scores_document import read_scores
from ftrun.paid.asking.answering import AnswerCosts
from ftrun.paid.asking.eval_inputs import STAGE, evaluation_inputs
from ftrun.paid.asking.lanes import Asking, Failed
from ftrun.paid.asking.questionnaire import Questionnaire, questionnaire
from ftrun.paid.history import SCORES, archive_answers
from ftrun.scoring.scorers import scorers_for
from ftrun.scoring.types import Scorer
from ftrun.targets import identity_of
from ftrun.workflow.context import Context
from ftrun.workflow.decision import fingerprint


def know_stores(context: Context) -> None:
    """Start the engine if another target of the file is local and there is no store yet: the store's id tells
    its models from those of other stores.
    """
    for target in other_targets(context.experiment):
        if target.provider == "local" and identity_of(target).get("store") is None:
            context.service_of(target.name)


def answer(
    context: Context,
    asked: Questionnaire,
    *,
    leader: Candidate | None = None,
    failed: Failed = lambda _request, _error: None,
) -> tuple[list[Record], int]:
    """Return every answer, in order, and how many were asked for now; what was paid for is archived even if
    the rest fails. `leader`: before this candidate has answered, nobody else is asked. `failed` is called
    for each question whose error ends it.
    """
    for note in _notes(asked):
        context.emit("note", text=note)
    with AnswerCosts(context, len(asked.missing())) as costs, asked.cache.open() as append:

        def keep(came: Sequence[Record]) -> None:
            append(came)
            before, of = costs.answered, costs.missing
            costs.after(len(came))
            for done, record in enumerate(came, start=before + 1):
                name, prompt_id = record.candidate, record.prompt_id
                context.emit("answer", number=done, of=of, candidate=name, prompt_id=prompt_id)

        ask = Asking(context, costs, leader=leader, failed=failed).ask_all
        try:
            records = collect(asked.samples, asked.requests, ask, cached=asked.known, on_answers=keep)
        finally:
            if costs.answered:
                archive_answers(context)
    return asked.in_order(records), costs.answered


def scored(context: Context, asked: Questionnaire, records: Sequence[Record]) -> tuple[Scores, list[Record]]:
    """Return what the answers are worth, and the answers with their scores; asks nobody."""
    experiment = context.experiment
    evaluation = experiment.evaluation
    scores, records = evaluate(
        experiment=experiment.name,
        target=experiment.target.name,
        samples=asked.samples,
        records=records,
        candidates=[one.name for one in asked.candidates],
        models=asked.models,
        scorers=scorers_of(context, asked),
        metric=evaluation.metric,
        gates=evaluation.gates,
        usd=partial(_usd, context, {one.name: one for one in asked.candidates}),
    )
    return replace(scores, warnings=(*scores.warnings, *_notes(asked))), records


def scorers_of(context: Context, asked: Questionnaire) -> tuple[Scorer, ...]:
    """Return the scorers; what they leave open is decided by the questions about the task."""
    about_task = [one for one in asked.samples if one.set != "general"] or asked.samples
    return scorers_for(context.experiment.evaluation.scorers, about_task, context.settings.scorers)


def _notes(asked: Questionnaire) -> tuple[str, ...]:
    """Return what to know of questions that are not asked, and of recorded answers."""
    return (*asked.notes, *(note for one in asked.recorded.values() for note in one.notes()))


def _usd(context: Context, candidates: Mapping[str, Candidate], record: Record) -> float | None:
    """Return what an answer cost, None if it is not known."""
    candidate = candidates[record.candidate]
    if not candidate.model:  # recorded: somebody else paid
        return None
    target = priced_candidate(context.experiment, candidate.name, candidate.model, candidate.target)
    prompt, completion = (record.usage.get(kind, 0) for kind in ("prompt_tokens", "completion_tokens"))
    return answers_usd(target, prompt, completion)


def last_evaluation(context: Context) -> tuple[Scores, list[Record]]:
    """Return what the last evaluation found, from the files of the run; what an earlier version wrote is
    scored again. Writes nothing.
    """
    from ftrun.evaluation.answer_files import ANSWERS, read_records

    records = list(read_records(context.folder / ANSWERS))
    path = context.folder / SCORES
    document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if "comparisons" in document or (document and not _is_present(context)):
        return read_scores(document), records
    asked = questionnaire(context)
    ids = {one.id for one in asked.samples}
    return scored(context, asked, [one for one in records if one.prompt_id in ids])


def _is_present(context: Context) -> bool:
    """Return whether the last evaluation is that of the experiment file as it is now."""
    record = context.state.stages.get(STAGE)
    return record is not None and record.fingerprint == fingerprint(evaluation_inputs(context))
