"""Every candidate gets every question; answers are kept, scored, compared, and never asked for twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ftrun.errors import FtrunError, GateError
from ftrun.files import write_json
from ftrun.paid.asking.eval_inputs import STAGE, evaluation_inputs, evaluation_outputs
from ftrun.paid.asking.questionnaire import questionnaire
from ftrun.paid.history import archive
from ftrun.targets import Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision
from ftrun.workflow.stage import Stage


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
        if removed is None:
            return decision
        missing = questionnaire(context).missing()
        if all(one.candidate.model != removed[0] for one in missing):
            return decision
        return Decision(action="blocked", reasons=(f"the model {removed[0]} was deleted",), code=CODE)

    def blocked(self, context: Context, decision: Decision) -> FtrunError:
        """Return the error for a model that can't answer any more."""
        from ftrun.paid.removed_models import removed_error, removed_now

        removed = removed_now(context)
        return super().blocked(context, decision) if removed is None else removed_error(context, *removed)

    def costs(self, context: Context, decision: Decision) -> bool:
        """Return whether anything would be asked that was not answered before."""
        if decision.action != "run" or not context.experiment.evaluation.asks:
            return False
        from ftrun.cost.candidates import target_named

        asked = {one.candidate.target for one in questionnaire(context).missing()}
        return any(target_named(context.experiment, name).provider != "local" for name in asked)

    def contacts(self, context: Context) -> bool:
        """Return whether anybody must be asked."""
        return context.experiment.evaluation.asks and bool(questionnaire(context).missing())

    def priced(self, context: Context) -> Mapping[str, Any]:
        """Count the answers that are missing."""
        return {"evaluate": True, "requests": questionnaire(context).missing()}

    def paid_before(self, context: Context) -> float:
        """Return what evaluations that did not finish have paid."""
        from ftrun.paid.asking.answering import unfinished_usd

        return unfinished_usd(context)

    def preflight(self, context: Context, decision: Decision, remote: Service | None) -> list[str]:
        """Say how many answers must still be paid for, where some are kept or were."""
        asked = questionnaire(context)
        missing, total = len(asked.missing()), len(asked.all())
        if missing < total:
            return [
                f"{missing} of {total} answer{'' if total == 1 else 's'} will be requested; "
                f"the others are kept"
            ]
        if context.result(self.name).get("metrics") and not asked.known and not asked.again:
            return ["earlier answers are neither here nor in history/: all will be asked for again"]
        return []

    def verify(self, context: Context) -> None:
        """Refuse questions that can't be asked, and answers that can't be scored."""
        if context.experiment.evaluation.asks:
            from ftrun.paid.asking.verifying import verify_evaluation

            verify_evaluation(context)

    def run(self, context: Context) -> dict[str, Any]:
        """Ask, score and write; what was paid for is archived even if the rest fails."""
        from ftrun.evaluation.answer_files import write_records
        from ftrun.paid.asking.evaluating import answer, know_stores, scored

        know_stores(context)
        asked = questionnaire(context)
        answers, count = answer(context, asked)
        scores, records = scored(context, asked, answers)
        write_records(context.folder, records)
        write_json(context.folder / "scores.json", scores.as_dict())
        return {
            "metrics": scores.plain_metrics if records else {},
            "verdict": asdict(scores.verdict) if scores.verdict else None,
            "gates": [{"gate": one.gate, "passed": one.passed, "value": one.value} for one in scores.gates],
            "asked": count,
        }

    def failure(self, context: Context) -> GateError | None:
        """Return the error for gates that the present evaluation missed."""
        gates = context.result(self.name).get("gates", ())
        lost = [gate["gate"] for gate in gates if not gate["passed"]]
        if not lost:
            return None
        missing, total = len(lost), len(gates)
        return GateError(
            f"{missing} of {total} gate{'' if total == 1 else 's'} missed: {'; '.join(lost)}",
            code="gate_missed",
            hint="Everything is written; the report says by how much.",
        )

    def keep(self, context: Context, *, skipped: bool) -> None:
        """Archive the answers; first restore answers.jsonl and scores.json where all answers are kept."""
        if skipped:
            self._restore(context)
        archive(context, answers=True)

    def _restore(self, context: Context) -> None:
        """Write the files again if they are missing and no answer is; ask nobody."""
        from ftrun.evaluation.answer_files import read_records

        records, asked = read_records(context.folder / "answers.jsonl"), questionnaire(context)
        whole = len(records) == asked.expected
        # a run for another model may have died between writing them and recording that
        ours = {record.model for record in records} <= {
            *(one.model for one in asked.candidates),
            *(record.model for one in asked.recorded.values() for record in one.records),
        }
        here = whole and ours and (context.folder / "scores.json").exists()
        if not here and not asked.missing():
            self.run(context)
