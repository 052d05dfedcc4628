"""Ask what is not answered yet, keep every answer at once, and score all of them: for the evaluate stage and
for `ftrun eval --before`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from threading import Lock

from ftrun.concurrency import concurrently
from ftrun.cost.prices import answers_usd
from ftrun.evaluation.answers import Candidate, CandidateReply, Record, Request, collect
from ftrun.evaluation.evaluate import evaluate
from ftrun.evaluation.results import Scores
from ftrun.paid.answering import AnswerCosts
from ftrun.paid.deployments import called
from ftrun.paid.history import SCORES, archive_answers
from ftrun.paid.questions import Questionnaire, questionnaire
from ftrun.scoring.scorers import scorers_for
from ftrun.targets import NotFoundError, Reply, Service, ServiceError
from ftrun.workflow.context import Context

ENGINE_ENDED = (
    "The engine on this machine crashed or was stopped. Run the same command again: it starts the engine "
    "and asks only for the missing answers."
)


def answer(context: Context, asked: Questionnaire) -> tuple[list[Record], int]:
    """Return every answer, in order, and how many were asked for now; what was paid for is archived even if
    the rest fails.
    """
    for recorded in asked.recorded.values():
        for note in recorded.notes():
            context.emit("note", text=note)
    with AnswerCosts(context, len(asked.missing())) as costs:
        asking = _Asking(context, asked, costs)
        try:
            records = collect(
                asked.samples, asked.requests, asking.ask_all, cached=asked.known, on_answer=asking.keep
            )
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
        scorers=scorers_for(evaluation.scorers, asked.samples, context.settings.scorers),
        metric=evaluation.metric,
        gates=evaluation.gates,
        usd=partial(_usd, context, {one.name: one for one in asked.candidates}),
    )
    recorded = tuple(note for one in asked.recorded.values() for note in one.notes())
    return replace(scores, warnings=(*scores.warnings, *recorded)), records


def _usd(context: Context, candidates: Mapping[str, Candidate], record: Record) -> float | None:
    """Return what an answer cost, None if it is not known."""
    candidate = candidates[record.candidate]
    if not candidate.model:  # recorded: somebody else paid
        return None
    name = candidate.target or context.experiment.target.name
    target = next(one for one in context.experiment.targets if one.name == name)
    prompt, completion = (record.usage.get(kind, 0) for kind in ("prompt_tokens", "completion_tokens"))
    return answers_usd(replace(target, model=candidate.model), prompt, completion)


def last_evaluation(context: Context) -> tuple[Scores, list[Record]]:
    """Return what the last evaluation found, from the files of the run; what an earlier version wrote is
    scored again. Writes nothing.
    """
    from ftrun.evaluation.cache import ANSWERS, read_records

    records = list(read_records(context.folder / ANSWERS))
    path = context.folder / SCORES
    document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if "comparisons" in document:
        return Scores.from_dict(document), records
    asked = questionnaire(context)
    ids = {one.id for one in asked.samples}
    return scored(context, asked, [one for one in records if one.prompt_id in ids])


class _Asking:
    """Asks within the budgets, as many questions at once as the target answers, and keeps each answer."""

    def __init__(self, context: Context, asked: Questionnaire, costs: AnswerCosts) -> None:
        self._context, self._asked, self._costs = context, asked, costs
        self._noted, self._explaining = set[str](), Lock()

    def ask_all(self, missing: Sequence[Request]) -> Iterator[tuple[Request, CandidateReply]]:
        """Yield the replies as they come; how a model had to be asked is reported once."""
        if not missing:
            return
        service = self._context.service()
        replies = concurrently(
            partial(self._ask, service),
            self._within_budget(missing),
            at_once=service.at_once,
            what=partial(self._context.awaited_answers, service),
            of=len(missing),
        )
        for request, said in replies:
            yield request, self._reply(service, request, said)

    def _within_budget(self, missing: Sequence[Request]) -> Iterator[Request]:
        """Yield what is asked next, once it is certain that it fits the budgets."""
        for request in missing:
            self._costs.before(request.candidate.model, request.messages)
            yield request

    def _ask(self, service: Service, request: Request) -> Reply:
        """Ask one question; several threads may do so."""
        from ftrun.paid.removed_models import missing_error
        from ftrun.targets.refusals import explained

        context, model = self._context, request.candidate.model
        name = called(context, model)
        try:
            with explained(context.experiment, "eval"):
                return service.chat(name, request.messages, request.sampling)
        except NotFoundError as error:
            with self._explaining:
                gone = missing_error(context, service, model) if name == model else None
            if gone is None:
                raise
            raise gone from error
        except ServiceError as error:
            if context.local and error.code == "unreachable":
                error.problem.hint = ENGINE_ENDED
            raise

    def _reply(self, service: Service, request: Request, said: Reply) -> CandidateReply:
        from ftrun.targets.refusals import remarks

        context, model = self._context, request.candidate.model
        changes = dict(service.changes.get(called(context, model), {}))
        for note in remarks(model, said, changes, "eval", request.sampling):
            if note not in self._noted:
                context.emit("warning", message=note)
                self._noted.add(note)
        usage = self._costs.count(model, request.messages, said)
        return CandidateReply(
            text=said.text, usage=usage, seconds=said.seconds, changes=changes, refusal=said.refusal
        )

    def keep(self, record: Record) -> None:
        """Keep an answer that just came."""
        costs = self._costs
        self._asked.cache.append(record)
        costs.after()
        self._context.emit(
            "answer",
            number=costs.answered,
            of=costs.missing,
            candidate=record.candidate,
            prompt_id=record.prompt_id,
        )
