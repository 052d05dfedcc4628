"""What the evaluation asks of whom, and which answers are still missing: known before anything is asked.

The stages that ask, and that deploy a model so that it can be asked, both decide by it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrun.errors import UserError
from ftrun.experiment.model import EvalPrompt, Experiment, Template
from ftrun.files import damage_reported
from ftrun.paid.history import archive_of
from ftrun.paid.job_spec import spec_key
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, by_fingerprint

if TYPE_CHECKING:  # a run with nothing to do asks nobody
    from ftrun.evaluation.answers import Candidate, Question, Record
    from ftrun.evaluation.cache import AnswerCache

STAGE = "evaluate"
VERSION = 1
OUTPUTS = ("answers.jsonl", "scores.json")


def evaluation_inputs(context: Context) -> dict[str, Any]:
    """Return which model is asked, by whom, what, and how it is sampled."""
    evaluation, prompt = context.experiment.evaluation, context.experiment.prompt
    own = (prompt.system.text if prompt.system else None) or [
        one.content.text
        for one in prompt.messages or ()
        if one.role == "system" and isinstance(one.content, Template)
    ]
    return {
        "evaluation version": VERSION,
        "job": spec_key(context),
        "eval prompts": [_asked(one) for one in evaluation.prompts],
        "rivals": list(evaluation.models),
        "sampling": dict(evaluation.sampling),
        "system prompt": [own, dict(prompt.vars), prompt.dependencies] if own else context.sha("train"),
    }


def _asked(prompt: EvalPrompt) -> dict[str, Any]:
    """Return a question as an input; a reference is one only where there is one."""
    values = dataclasses.asdict(prompt)
    if prompt.reference is None:
        del values["reference"]
    return values


def evaluation_outputs(context: Context) -> tuple[str, ...]:
    """Return the files that it writes; where answers cost money a fresh clone does not ask for them again."""
    return OUTPUTS if context.local else ()


def evaluation_decision(context: Context) -> Decision:
    """Run when the model, the questions or the sampling changed."""
    return by_fingerprint(context, STAGE, evaluation_inputs(context), evaluation_outputs(context))


@dataclass(frozen=True, slots=True, kw_only=True)
class Questionnaire:
    """Every question for every candidate, and the answers that are kept; `again`: they are not used."""

    questions: tuple[Question, ...]
    candidates: tuple[Candidate, ...]
    sampling: Mapping[str, Any]
    cache: AnswerCache
    again: bool

    @property
    def known(self) -> Mapping[str, Record]:
        """Return the answers that are not asked for again, by cache key."""
        return {} if self.again else self.cache.records

    def missing(self) -> tuple[tuple[Question, Candidate], ...]:
        """Return what must still be asked."""
        return self._unanswered(self.known)

    def all(self) -> tuple[tuple[Question, Candidate], ...]:
        """Return what would be asked if no answer were kept."""
        return self._unanswered({})

    def _unanswered(self, known: Mapping[str, Record]) -> tuple[tuple[Question, Candidate], ...]:
        from ftrun.evaluation.answers import unanswered

        return unanswered(self.questions, self.candidates, self.sampling, known)

    def answered(self) -> dict[str, set[str]]:
        """Return the ids of the prompts that each candidate has answered: they are not paid for again."""
        from ftrun.evaluation.answers import cache_key

        return {
            candidate.name: {
                one.id
                for one in self.questions
                if cache_key(candidate, one.messages, self.sampling) in self.known
            }
            for candidate in self.candidates
        }


def questionnaire(context: Context, recall: Collection[str] = ()) -> Questionnaire:
    """Return what is asked; `recall` are the ids of prompts that are in the training data."""
    from ftrun.evaluation.answers import questions
    from ftrun.evaluation.cache import AnswerCache

    prompts = context.experiment.evaluation.prompts
    needed = any(one.messages is None and not one.own_system for one in prompts)
    system = system_prompt(context.experiment, context.path("train").parent) if needed else None
    return Questionnaire(
        questions=questions(prompts, system=system, recall=recall),
        candidates=tuple(_candidates(context)),
        sampling=dict(context.experiment.evaluation.sampling),
        cache=AnswerCache(context.folder, archive_of(context)),
        again=context.settings.force == STAGE,
    )


def _candidates(context: Context) -> list[Candidate]:
    """Return everyone who is asked; a literal id stands for itself."""
    from ftrun.evaluation.answers import Candidate

    known = {"tuned": tuned_model(context) or "", "base": context.experiment.target.model}
    # models of one name on two stores are two models
    origin = str(context.state.identity.get("store") or context.state.identity.get("origin") or "")
    return [
        Candidate(name=name, model=known.get(name, name), origin=origin)
        for name in context.experiment.evaluation.models
    ]


def tuned_model(context: Context) -> str | None:
    """Return the model of the present configuration, once it is trained: also after going back to it."""
    job = context.state.jobs.get(spec_key(context))
    return job.fine_tuned_model if job is not None else None


def asks_tuned(context: Context) -> bool:
    """Return whether the tuned model would be asked anything: only then must it be deployed."""
    evaluation = context.experiment.evaluation
    if evaluation_decision(context).action != "run" or not evaluation.prompts:
        return False
    tuned = tuned_model(context)
    if tuned is None:
        return "tuned" in evaluation.models
    return any(candidate.model == tuned for _, candidate in questionnaire(context).missing())


def system_prompt(experiment: Experiment, folder: Path) -> str | None:
    """Return the experiment's system prompt rendered with `vars` alone; for ready chat rows their most
    common one. UserError when the template needs a row.
    """
    prompt = experiment.prompt
    if prompt.system is None and not any(one.role == "system" for one in prompt.messages or ()):
        return _common_system(folder / "train.jsonl")
    from ftrun.experiment.templates.rendering import Renderer  # jinja2 costs 0.15 s

    try:
        return Renderer(experiment).render_system()
    except UserError as error:
        problem = error.problem
        problem.hint = (
            "Eval prompts have no row: give each its own `system:`, or keep columns out of prompt.system."
        )
        raise


def _common_system(train: Path) -> str | None:
    from ftrun.evaluation.answers import most_common_system

    if not train.exists():
        return None
    with damage_reported(train), train.open(encoding="utf-8") as lines:
        return most_common_system(json.loads(line) for line in lines)
