"""What the other stages found becomes report.html and report.md; nothing is measured or asked here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrun import data
from ftrun.files import damage_reported
from ftrun.paid.history import METRICS, archive, restore_wait
from ftrun.paid.job_spec import HYPERPARAMETERS, spec_key
from ftrun.workflow.context import Context
from ftrun.workflow.stage import Stage

if TYPE_CHECKING:  # a run with nothing to do must not pay for the report's many dataclasses
    from ftrun.evaluation.answers import Record
    from ftrun.evaluation.results import Scores
    from ftrun.report import Facts

VERSION = 2
OUTPUTS = ("report.html", "report.md")
REHEARSED = "This was a rehearsal: nothing was trained, and the answers are not a model's."


class ReportStage(Stage):
    """Writes report.html and report.md."""

    name = "report"
    follows_news = True

    def inputs(self, context: Context) -> dict[str, Any]:
        """Return what is reported: the job, what was evaluated, the data, and the description."""
        evaluated = context.state.stages.get("evaluate")
        experiment = context.experiment
        return {
            "report version": VERSION,
            "job": spec_key(context) if experiment.trains else None,
            "evaluation": evaluated.fingerprint if evaluated else None,
            "data": [context.sha(role) for role in ("train", "validation", "test")],
            "description": [experiment.name, experiment.description],
            **({"language": experiment.report.language} if experiment.report.language else {}),
        }

    def contacts(self, context: Context) -> bool:
        """Return False: everything is here."""
        return False

    def outputs(self, context: Context) -> tuple[str, ...]:
        """Return the files that it writes, where what they are made of is here (a fresh clone lacks it)."""
        made_of = ["answers.jsonl", *(["metrics.csv", "check.json"] if context.experiment.trains else [])]
        here = all((context.folder / name).exists() for name in made_of)
        return OUTPUTS if here or context.local else ()

    def run(self, context: Context) -> dict[str, Any]:
        """Write report.html and report.md, and archive them; return the verdict on the fit.

        A report.md that exists and says more than is known now stays as it is.
        """
        from ftrun.report import write_report

        if context.experiment.trains and not (context.folder / METRICS).exists():
            restore_wait(context)  # in a fresh clone
        lacking = list(_lacking(context))
        for message in lacking:
            context.emit("warning", message=message)
        if lacking and (context.folder / "report.md").exists():
            context.emit("warning", message="report.md stays as it is")
            return dict(context.result(self.name))
        with damage_reported(context.folder):
            facts = gather(context)
            write_report(facts, context.folder)
        archive(context, answers=True, reported=True)
        fit = facts.fit
        return {"fit": fit.verdict if fit else None, "sentence": fit.sentence if fit else None}


def _lacking(context: Context) -> Iterator[str]:
    """Yield what was found once and is neither here nor archived, with the command to get it again."""
    from ftrun.evaluation.answer_files import read_records
    from ftrun.report.words import counted

    asked = sum(score.get("asked", 0) for score in context.result("evaluate").get("metrics", {}).values())
    missing = asked - len(read_records(context.folder / "answers.jsonl"))
    if missing > 0:
        again = context.command("run", "--force", "evaluate")
        of = counted(asked, "answer")
        yield f"{missing} of {of} are neither here nor in history/. To ask again: {again}"
    if context.experiment.trains and not (context.folder / "metrics.csv").exists():
        again = context.command("run", "--force", "wait")
        yield f"the training curve is neither here nor in history/. To fetch it again: {again}"


def gather(context: Context) -> Facts:
    """Return what the report says, from the state and the files of the run, as far as they are there."""
    from ftrun.evaluation.learning_curve.checkpoints import checkpoints_of
    from ftrun.evaluation.learning_curve.fit import explain
    from ftrun.evaluation.learning_curve.metric_rows import parse_metrics
    from ftrun.report import Facts
    from ftrun.report.localizing import data_language, learned_texts, question_texts
    from ftrun.report.provenance import provenance

    experiment = context.experiment
    metrics, ended = context.folder / "metrics.csv", context.result("wait")
    rows = parse_metrics(metrics.read_text(encoding="utf-8") if metrics.exists() else "")
    scores, records = _evaluated(context)
    found = _data(context)
    texts = learned_texts(found["examples"]) or question_texts(records)
    return Facts.from_json(
        {
            "experiment": {
                "name": experiment.name,
                "description": experiment.description,
                "file": context.state.file,
            },
            "target": experiment.target,
            "status": _status(context),
            "job": _job(context) if ended else None,
            "data": found,
            "cost": _cost(context),
            "metrics": rows,
            "checkpoints": checkpoints_of(
                ended.get("checkpoints", []), rows, ended.get("hyperparameters", {}).get("n_epochs")
            ),
            "fit": explain(rows) if rows else None,
            "answers": records,
            "scores": scores,
            "provenance": provenance(
                experiment,
                store=context.state.identity.get("store"),
                dtype=ended.get("dtype"),
                ended=ended.get("finished_at"),
            ),
            "warnings": [*_warnings(context), *_changes(records)],
            "language": experiment.report.language
            or data_language(texts, context.result("check").get("language")),
        }
    )


def _evaluated(context: Context) -> tuple[Scores, Sequence[Record]]:
    """Return the scores and the answers, as far as they are there."""
    from ftrun.evaluation.answer_files import read_records
    from ftrun.evaluation.scores_document import read_scores
    from ftrun.paid.asking.evaluating import last_evaluation

    if (context.folder / "scores.json").exists():
        return last_evaluation(context)
    return read_scores({"candidates": {}}), read_records(context.folder / "answers.jsonl")


def _status(context: Context) -> str:
    """Return done, or pending while a job or answers are missing."""
    trained = bool(context.result("wait")) or not context.experiment.trains
    evaluated = bool(context.result("evaluate")) or not context.experiment.evaluation.asks
    return "done" if trained and evaluated else "pending"


def _cost(context: Context) -> dict[str, Any]:
    """Return the estimate of training and evaluation; of what was answered if nothing was trained."""
    from ftrun.cost.expected import Asked, Rows
    from ftrun.cost.prices import price

    checked, experiment = context.result("check"), context.experiment
    if not experiment.trains or "train_tokens" not in checked:  # or it was never checked
        return {"free": context.free}
    examples, tokens = checked["examples"], checked["train_tokens"]
    tested = context.result("prepare").get("files", {}).get("test") or {}
    test = Rows(tested.get("examples", 0), tested.get("examples", 0) * tokens // max(1, examples))
    return price(experiment, examples=examples, train_tokens=tokens, asked=Asked(test=test))


def _warnings(context: Context) -> list[str]:
    """Return the warnings at the top of the report."""
    from ftrun.targets.known_languages import language_note

    rehearsed = context.experiment.target.rehearses
    checked = context.result("check")
    early = context.result("wait").get("stopped_early")
    stopped = [f"Training was stopped early: {early}. The best checkpoint is used."] if early else []
    return (
        ([REHEARSED] if rehearsed else [])
        + stopped
        + language_note(context.experiment, checked.get("language"))
    )


def _changes(records: Sequence[Record]) -> list[str]:
    """Return how requests to models differed from what the experiment says."""
    from ftrun.targets.refusals import change_notes

    notes = [note for record in records for note in change_notes(record.model, record.changes)]
    return list(dict.fromkeys(notes))


def _document(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _job(context: Context) -> dict[str, Any]:
    ended = context.result("wait")
    start, end = ended.get("created_at"), ended.get("finished_at")
    train = context.experiment.train
    return {
        "id": ended.get("job_id", ""),
        "model": context.experiment.target.model,
        "status": "stopped early" if "stopped_early" in ended else "succeeded",
        "fine_tuned_model": ended.get("fine_tuned_model"),
        "requested": {name: train.hyperparameters.get(name, "auto") for name in HYPERPARAMETERS},
        "resolved": ended.get("hyperparameters", {}),
        "seed": ended.get("seed", train.seed),
        "trained_tokens": ended.get("trained_tokens"),
        "created_at": start,
        "finished_at": end,
        "seconds": end - start if start is not None and end is not None else None,
    }


def _data(context: Context) -> dict[str, Any]:
    checked = _document(context.folder / "check.json")
    splits = {role: found for role, found in checked.get("files", {}).items() if found}
    estimate = checked.get("estimate") or {}
    warnings = checked.get("warnings", [])
    return {
        "splits": splits,
        "duplicates": context.result("prepare").get("duplicates", 0),
        "problems": [{"severity": "warning", **warning} for warning in warnings],
        "histogram": checked.get("histogram", []),
        "message_histogram": checked.get("message_histogram", []),
        "examples": _examples(context, warnings),
        "encoding": estimate.get("encoding"),
        "exact": estimate.get("exact", True),
    }


def _examples(context: Context, warnings: Sequence[Any]) -> list[Any]:
    """Return the examples to browse; none if nothing was trained on or prepared."""
    if not context.experiment.trains or not (context.folder / "train.jsonl").exists():
        return []
    return list(data.browsable(context.experiment, context.folder, warnings))
