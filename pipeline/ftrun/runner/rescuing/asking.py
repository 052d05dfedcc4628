"""Asking the tuned model and its base side by side: nobody before the tuned model has answered once.

A question that a server refuses is left out, and so is a base model that is gone or refuses everything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ftrun.errors import FtrunError
from ftrun.evaluation.answer_files import AnswerCache
from ftrun.evaluation.answers import Candidate, Request
from ftrun.experiment.evaluation import BASE, TUNED
from ftrun.experiment.places import shown_path
from ftrun.paid.asking.evaluating import answer
from ftrun.paid.asking.questionnaire import candidate_of, questionnaire
from ftrun.paid.history import archive_of
from ftrun.paid.removed_models import CODE
from ftrun.targets import NotFoundError
from ftrun.targets.service import NOT_ALLOWED
from ftrun.workflow.context import Context

MOST_REFUSED = 100  # questions that are left out, until it is no longer about single questions
TRIED = 3  # questions that a model may refuse before it has answered any
AT_FIRST = 40  # questions to the tuned model before the first one to its base
REFUSALS = ("refused", "not_found", "model_removed", "no_tools", *NOT_ALLOWED)  # what only the base may do


class TunedAndBase:
    """Asks both. `count` answers came; `without_base` says why the base model is not asked, if it isn't."""

    def __init__(self) -> None:
        self.count = 0
        self.without_base: str | None = None
        self._refused: dict[tuple[str, str], FtrunError] = {}  # by question and candidate

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return the questions that a server refused."""
        return tuple(dict.fromkeys(sample for sample, _ in self._refused))

    def ask(self, context: Context) -> None:
        """Ask for everything that is missing; FtrunError for what is more than a refusal."""
        while True:
            failed = list[tuple[Request, FtrunError]]()
            try:
                self._answer(context, failed)
                return
            except FtrunError as error:
                known = AnswerCache(context.folder, archive_of(context)).records.values()
                answering = {record.model for record in known}
                if not failed or not all(self._leave_out(context, *one, answering) for one in failed):
                    raise self._explained(context, error) from error

    def _leave_out(self, context: Context, request: Request, error: FtrunError, answering: set[str]) -> bool:
        """Return whether to continue without a question, or without the base model, after this error."""
        who = request.candidate
        refused = len([model for _, model in self._refused if model == who.name])
        if error.code not in REFUSALS or len(self._refused) >= MOST_REFUSED:
            return False
        one_question = who.model in answering or refused < TRIED
        if error.code == "refused" and one_question and not getattr(error, "parameter", None):
            self._refused[request.sample, who.name] = error
            context.emit("warning", message=f"{request.sample} is not asked of {who.name}: {error}")
            return True
        if who.name != BASE:
            return False
        if self.without_base is None:
            self.without_base = str(error)
            context.emit("warning", message=f"the base model is not asked: {error}")
        return True

    def _explained(self, context: Context, error: FtrunError) -> FtrunError:
        """Return an error, or the one for a tuned model that is gone."""
        if error.code == CODE or isinstance(error, NotFoundError):
            return gone(context, tuned_of(context).model, error)
        return error

    def _answer(self, context: Context, failed: list[tuple[Request, FtrunError]]) -> None:
        asked, tuned = questionnaire(context), tuned_of(context)
        requests = [
            one
            for one in asked.requests
            if (one.sample, one.candidate.name) not in self._refused
            and not (self.without_base and one.candidate.name == BASE)
        ]
        asked = dataclasses.replace(asked, requests=_in_order(requests, tuned))
        missing, kept = asked.missing(), set(asked.known)
        if not missing:
            return
        try:
            answer(context, asked, leader=tuned, failed=lambda *one: failed.append(one))
        finally:
            self.count += len(asked.cache.records.keys() - kept)


def tuned_of(context: Context) -> Candidate:
    """Return the tuned model."""
    candidates = context.experiment.evaluation.candidates
    spec = next((one for one in candidates if one.name == TUNED), None)
    assert spec is not None
    return candidate_of(context, spec)


def _in_order(requests: Sequence[Request], tuned: Candidate) -> tuple[Request, ...]:
    """Return the requests with all questions to the tuned model first, but for one to the base: nothing is
    known of a model before it has answered, so one question goes alone, and the others need not wait for it.
    """
    first = [one for one in requests if one.candidate == tuned]
    others = [one for one in requests if one.candidate != tuned]
    early = min(len(first), AT_FIRST)
    return (*first[:early], *others[:1], *first[early:], *others[1:])


def gone(context: Context, model: str, error: FtrunError | None) -> FtrunError:
    """Return the error for a tuned model that no longer answers."""
    where, config = context.experiment.target.name, shown_path(context.experiment.file)
    return FtrunError(
        f"the tuned model {model} no longer answers at target {where!r}; what was recorded before is kept",
        code="model_gone",
        hint=(error.problem.hint if error is not None and error.code != CODE else None)
        or f"Its data can be trained elsewhere: ftrun port {config} --to TARGET (with --without-old if no "
        "answers are recorded). If it answers under another name, add it to `eval.models`: "
        "`{name: tuned, model: ID}`.",
    )
