"""Whether an evaluation can succeed, as far as the experiment file and the prepared data show: said
before anything is asked, paid for or trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ftrun.cost.candidates import other_targets
from ftrun.errors import ConfigError, UsageError
from ftrun.evaluation.answers import Request
from ftrun.evaluation.asked.candidates import few_shot_of, needs_rows, needs_training
from ftrun.evaluation.asked.nearest_rows import training_rows
from ftrun.evaluation.evaluate import check
from ftrun.experiment.model import CandidateSpec
from ftrun.experiment.places import place_of
from ftrun.paid.asking.evaluating import scorers_of
from ftrun.paid.asking.questionnaire import Questionnaire, questionnaire, tuned_model
from ftrun.targets.connect import takes_tools
from ftrun.workflow.context import Context


def verify_evaluation(context: Context) -> None:
    """Raise a UserError for questions that can't be asked, and for answers that can't be scored."""
    experiment = context.experiment
    if context.settings.evaluate_only:
        refuse_untrained(context)
    if experiment.trains and not context.path("train").is_file():
        return  # nothing is prepared yet
    asked = questionnaire(context)  # reads recorded answers, and takes samples of the prepared data
    _refuse_without_rows(context)
    _refuse_tools(context, asked.requests)
    if asked.samples:
        _refuse_scoring(context, asked)


def refuse_untrained(context: Context) -> None:
    """Raise a UsageError if a candidate must be trained first."""
    experiment = context.experiment
    if not any(map(needs_training, experiment.evaluation.candidates)) or tuned_model(context) is not None:
        return
    raise UsageError(
        f"{experiment.name} on {experiment.target.name} has no tuned model for the current data and settings",
        code="no_model",
        hint=f"To evaluate what needs no training: `{context.command('eval', '--before')}`. "
        f"To train: `{context.command('run')}`.",
    )


def _refuse_without_rows(context: Context) -> None:
    """Refuse candidates that show training rows to the model where there are none."""
    wanting = list(_wanting_rows(context))
    if not wanting or training_rows(context.path("train"), context.sha("train")).rows:
        return
    index, spec = wanting[0]
    what = "few-shot examples" if few_shot_of(spec) else "rows to retrieve"
    raise ConfigError(
        f"{spec.name} needs {what}, and no training row is a chat of texts that ends with an answer",
        code="no_training_rows",
        hint="Remove it from `eval.models`, or add such rows to `data.sources`.",
        **place_of(context.experiment, "eval", "models", index),
    )


def _refuse_tools(context: Context, requests: Sequence[Request]) -> None:
    """Refuse questions with tools for a target that takes none."""
    without = {
        target.name: target
        for target in (context.experiment.target, *other_targets(context.experiment))
        if not takes_tools(target)
    }
    for one in requests:
        target = without.get(one.candidate.target or context.experiment.target.name)
        if one.tools and target is not None:
            raise ConfigError(
                f"{one.sample} has `tools`, which models at target {target.name!r} don't support; "
                f"{one.candidate.name} can't be asked",
                code="no_tools",
                hint="Remove that candidate from `eval.models`, give it a `target` that supports tools, or "
                "remove the question.",
                **place_of(context.experiment, "eval", "models"),
            )


def _wanting_rows(context: Context) -> Iterator[tuple[int, CandidateSpec]]:
    for index, spec in enumerate(context.experiment.evaluation.candidates):
        if needs_rows(spec):
            yield index, spec


def _refuse_scoring(context: Context, asked: Questionnaire) -> None:
    """Refuse scorers that can judge no answer, and a metric or a gate that can't be decided."""
    evaluation = context.experiment.evaluation
    with _placed(context, "scorers"):
        scorers = scorers_of(context, asked)
    names = [one.name for one in asked.candidates]
    for key, metric, gates in (("metric", evaluation.metric, ()), ("gates", None, evaluation.gates)):
        with _placed(context, key):
            check(samples=asked.samples, candidates=names, scorers=scorers, metric=metric, gates=gates)


@contextmanager
def _placed(context: Context, key: str) -> Iterator[None]:
    """Give an error about a key of `eval` its place in the experiment file."""
    try:
        yield
    except ConfigError as error:
        problem, where = error.problem, place_of(context.experiment, "eval", key)
        if problem.file is None:
            problem.file, problem.line, problem.column = (
                where.get(name) for name in ("file", "line", "column")
            )
        raise
