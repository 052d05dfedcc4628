"""Every candidate gets every eval prompt; answers are kept, judged, counted, and never asked for twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftrun import data
from ftrun.errors import FtrunError
from ftrun.files import damage_reported, write_json
from ftrun.paid.history import archive, archive_answers
from ftrun.paid.questions import (
    STAGE,
    evaluation_inputs,
    evaluation_outputs,
    questionnaire,
    tuned_model,
)
from ftrun.targets import Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision
from ftrun.workflow.stage import Stage

if TYPE_CHECKING:  # a run with nothing to do asks nobody
    from ftrun.evaluation.answers import Asked, CandidateReply, Record
    from ftrun.paid.answering import AnswerCosts
    from ftrun.paid.questions import Questionnaire


class EvaluateStage(Stage):
    """Asks what is not answered yet, writes answers.jsonl and scores.json."""

    name = STAGE
    asks_model = True
    force_pays = "ask every question again"

    def inputs(self, context: Context) -> dict[str, Any]:
        """Return which model is asked, by whom, what, and how it is sampled."""
        return evaluation_inputs(context)

    def outputs(self, context: Context) -> tuple[str, ...]:
        """Return the files that it writes, where answers cost nothing: a fresh clone does not pay again."""
        return evaluation_outputs(context)

    def decide(self, context: Context, remote: Service | None) -> Decision:
        """Run when the model, the questions or the sampling changed; blocked where a deleted model must
        answer.
        """
        decision = super().decide(context, remote)
        if decision.action != "run" or context.settings.force == "train":
            return decision
        from ftrun.paid.removed_models import CODE, removed_now

        removed = removed_now(context)
        if removed is None or all(one.model != removed[0] for _, one in questionnaire(context).missing()):
            return decision
        return Decision(action="blocked", reasons=(f"the model {removed[0]} was deleted",), code=CODE)

    def blocked(self, context: Context, decision: Decision) -> FtrunError:
        """Return the error for a model that can't answer any more."""
        from ftrun.paid.removed_models import removed_error, removed_now

        removed = removed_now(context)
        return super().blocked(context, decision) if removed is None else removed_error(context, *removed)

    def costs(self, context: Context, decision: Decision) -> bool:
        """Return whether anything would be asked that was not answered before."""
        if decision.action != "run" or not context.experiment.evaluation.prompts:
            return False
        return tuned_model(context) is None or bool(questionnaire(context).missing())

    def priced(self, context: Context) -> Mapping[str, Any]:
        """Count the answers that are missing."""
        answered = {} if tuned_model(context) is None else questionnaire(context).answered()
        return {"evaluate": True, "answered": answered}

    def paid_before(self, context: Context) -> float:
        """Return what evaluations that did not finish have paid."""
        from ftrun.paid.answering import unfinished_usd

        return unfinished_usd(context)

    def preflight(self, context: Context, decision: Decision, remote: Service | None) -> list[str]:
        """Say how many answers must still be paid for, where some are kept or were."""
        if tuned_model(context) is None:
            return []
        asked = questionnaire(context)
        missing, total = len(asked.missing()), len(asked.all())
        if missing < total:
            return [f"{missing} of {total} answers will be asked for; the others are kept"]
        if context.result(self.name).get("metrics") and not asked.known and not asked.again:
            return ["earlier answers are neither here nor in history/: all will be asked for again"]
        return []

    def run(self, context: Context) -> dict[str, Any]:
        """Ask, judge and count; what was paid for is archived even if the rest fails."""
        from ftrun.evaluation.answers import collect
        from ftrun.evaluation.cache import write_records
        from ftrun.evaluation.scores import score
        from ftrun.paid.answering import AnswerCosts

        with damage_reported(context.path("train")):
            recall = data.recalled(context.experiment, context.path("train").parent)
        asked = questionnaire(context, recall)
        with AnswerCosts(context, len(asked.missing())) as costs:
            asking = _Asked(context, asked, costs)
            try:
                records = collect(
                    asked.questions,
                    asked.candidates,
                    asking.ask_all,
                    sampling=asked.sampling,
                    cached=asked.known,
                    on_answer=asking.keep,
                )
            finally:
                if costs.answered:
                    archive_answers(context)
            write_records(context.folder, records)
            scores = score(records).as_dict()
            write_json(context.folder / "scores.json", scores)
        return {"metrics": scores["candidates"], "flips": scores["flips"], "asked": costs.answered}

    def keep(self, context: Context, *, skipped: bool) -> None:
        """Archive the answers; first restore answers.jsonl and scores.json where all answers are kept."""
        if skipped:
            self._restore(context)
        archive(context, answers=True)

    def _restore(self, context: Context) -> None:
        """Write the files again if they are missing and no answer is; ask nobody."""
        from ftrun.evaluation.cache import read_records

        records, evaluation = read_records(context.folder / "answers.jsonl"), context.experiment.evaluation
        whole = len(records) == len(evaluation.prompts) * len(evaluation.models)
        asked = questionnaire(context)
        # a run for another model may have died between writing them and recording that
        ours = {record.model for record in records} <= {one.model for one in asked.candidates}
        here = whole and ours and (context.folder / "scores.json").exists()
        if not here and not asked.missing():
            self.run(context)


class _Asked:
    """Asks what is missing and keeps each answer."""

    def __init__(self, context: Context, asked: Questionnaire, costs: AnswerCosts) -> None:
        self._context, self._asked, self._costs = context, asked, costs

    def ask_all(self, missing: Sequence[Asked]) -> Iterator[tuple[Asked, CandidateReply]]:
        """Yield the replies as they come."""
        from ftrun.evaluation.answers import Request, cache_key
        from ftrun.paid.asking import Asking

        sampling = self._asked.sampling
        keys = {cache_key(who, what.messages, sampling): (what, who) for what, who in missing}
        requests = [
            Request(sample=what.id, candidate=who, messages=what.messages, sampling=sampling, key=key)
            for key, (what, who) in keys.items()
        ]
        for request, reply in Asking(self._context, self._costs).ask_all(requests):
            yield keys[request.key], reply

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
