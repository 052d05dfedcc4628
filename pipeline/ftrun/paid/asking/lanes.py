"""Asks candidates, many questions at once on every target: within the budgets, as fast as each service takes
them, and again where an answer was lost.

Each target has a queue of its own (`_Desk`) with its own pace. What an answer costs is reserved before it is
asked for and counted the moment it is there. Whoever takes the replies keeps them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock

from ftrun.concurrency import Lane, in_lanes
from ftrun.cost.amounts import money
from ftrun.cost.candidates import priced_candidate
from ftrun.errors import FtrunError
from ftrun.evaluation.answers import Answered, Candidate, CandidateReply, Request
from ftrun.experiment.model import Experiment
from ftrun.paid.asking.answering import AnswerCosts
from ftrun.paid.asking.first_answers import FirstAnswers
from ftrun.paid.deployments import called
from ftrun.targets import NotFoundError, Reply, Service, ServiceError, address_of
from ftrun.targets.pace import CERTAIN, MOST, Ending, Pace, Turn
from ftrun.workflow.context import Context

ENGINE_ENDED = (
    "The engine on this machine crashed or was stopped. Run the same command again: it starts the engine "
    "and asks only for the missing answers."
)
LETTERS_PER_TOKEN = 2  # a low guess: Japanese has more tokens per letter than English
FEWEST, SHARE = 8, 3  # threads of one who shares a pace, and the part of it that it may have
USUAL_ANSWER = 256  # tokens, where the length has no limit
Failed = Callable[[Request, FtrunError], None]
Billed = tuple[Reply, dict[str, int]]  # with the tokens that it is billed for


class Asking:
    """Asks within the budgets, as many questions at once as each target answers."""

    def __init__(
        self,
        context: Context,
        costs: AnswerCosts,
        *,
        leader: Candidate | None = None,
        failed: Failed = lambda _request, _error: None,
    ) -> None:
        self._context, self._costs, self._noted, self._failed = context, costs, set[str](), failed
        self._leader = None if leader is None else _who(leader)

    def ask_all(self, requests: Sequence[Request]) -> Iterator[Answered]:
        """Yield the replies as they come, in any order; the caller keeps them before it takes the next.

        The error that ends it is raised after the answers that were on their way.
        """
        if not requests:
            return
        groups: dict[str | None, list[Request]] = {}
        for request in requests:
            groups.setdefault(request.candidate.target, []).append(request)
        asked = {_who(one.candidate) for one in requests}
        first = FirstAnswers(self._leader if self._leader in asked else None)
        desks = {
            name: _Desk(self._context, self._costs, name, group, first, self._failed)
            for name, group in groups.items()
        }
        try:
            lanes = [desk.lane for desk in desks.values()]
            for came in in_lanes(lanes, what=lambda: "; ".join(map(_Desk.awaited, desks.values()))):
                yield [
                    (request, self._reply(desks[request.candidate.target], request, said, usage))
                    for request, (said, usage) in came
                ]
        finally:
            self._report_lost()
            self._abandon()

    def _reply(self, desk: _Desk, request: Request, said: Reply, usage: Mapping[str, int]) -> CandidateReply:
        """Return the reply; how a model had to be asked is reported once."""
        from ftrun.targets.refusals import remarks

        model = request.candidate.model
        changes = desk.changes(model)
        for note in remarks(model, said, changes, "eval", request.sampling):
            if note not in self._noted:
                self._context.emit("warning", message=note)
                self._noted.add(note)
        return CandidateReply(
            text=said.text,
            usage=usage,
            seconds=said.seconds,
            changes=changes,
            refusal=said.refusal,
            tool_calls=said.tool_calls,
            finish_reason=said.finish_reason,
            system_fingerprint=said.system_fingerprint,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _report_lost(self) -> None:
        lost, usd = self._costs.lost, self._costs.lost_usd
        if not lost:
            return
        cost = money(usd, self._context.experiment.budget.yen_per_usd)
        if usd:
            message = (
                f"answers lost on their way, or replaced by a server error: {lost}; they may have been "
                f"billed, and count as up to {cost}"
            )
        else:
            message = (
                f"answers lost on their way, or replaced by a server error: {lost}; they were asked again"
            )
        self._context.emit("warning", message=message)

    def _abandon(self) -> None:
        count, usd = self._costs.abandon()
        if usd:
            cost = money(usd, self._context.experiment.budget.yen_per_usd)
            message = (
                f"answers on their way that nobody waits for now: {count}; they may be billed, and count as "
                f"up to {cost}"
            )
            self._context.emit("warning", message=message)


class _Desk:
    """The questions for one target, and the pace at which it is asked."""

    def __init__(
        self,
        context: Context,
        costs: AnswerCosts,
        name: str | None,
        requests: Sequence[Request],
        first: FirstAnswers,
        failed: Failed,
    ) -> None:
        self._context, self._costs, self._requests, self._failed = context, costs, requests, failed
        self._own = name is None or name == context.experiment.target.name
        self._experiment: Experiment = context.aimed_at(name)
        self._service: Service = context.service_of(name)
        self._pace, self._ending = self._paced(), Ending()
        self._explaining, self._since, self._first = Lock(), time.monotonic(), first

    @property
    def lane(self) -> Lane[Request, Billed]:
        """Return the calls to make."""
        return Lane(
            items=self._requests, call=self._ask, at_once=self._at_once, taken=self._kept, stop=self._stop
        )

    def _paced(self) -> Pace:
        """Return the pace: an own one, or the one that is shared."""
        target, shared = self._experiment.target, self._context.paces
        if shared is None:
            return _pace_of(self._experiment, self._service)
        service = target.provider, address_of(target), target.api_key_env
        return shared.of(service, lambda: _pace_of(self._experiment, self._service))

    @property
    def _at_once(self) -> int:
        """Return how many threads ask: of a shared pace nobody takes all."""
        most = self._pace.most
        return most if self._context.paces is None else min(most, max(FEWEST, most // SHARE))

    def _kept(self, request: Request, answered: Billed) -> None:
        """Let the next question take the place of one whose answer is kept."""
        said, _ = answered
        self._costs.kept(request)
        self._first.came(_who(request.candidate))
        self._pace.answered(said.limits)

    def _stop(self) -> None:
        self._first.stop()
        self._pace.stop(self._ending)
        self._costs.stop()

    def changes(self, model: str) -> dict[str, str | None]:
        """Return which sampling parameters the model refuses, and what is sent instead."""
        return dict(self._service.changes.get(self._called(model), {}))

    def awaited(self) -> str:
        """Return what is waited for, and how far it is."""
        of, pace, came = len(self._requests), self._pace, self._pace.answers
        running, pause = pace.running, pace.pause
        if pause >= 1:
            progress = f"{came:,} of {of:,} received, {running} in progress, paused for {pause:.0f} s"
        elif came >= max(1, running):
            left = max(1.0, (of - came) * (time.monotonic() - self._since) / came)
            progress = f"{came:,} of {of:,} received, {running} in progress, about {left:.0f} s left"
        else:
            progress = f"{came:,} of {of:,} received, {running} in progress"
        return self._context.awaited_answers(self._service, progress, self._experiment.target)

    def _called(self, model: str) -> str:
        return called(self._context, model) if self._own else model

    def _ask(self, request: Request) -> Billed:
        """Ask one question, again and again where that helps; several threads may do so."""
        candidate, turn, tokens = request.candidate, Turn(ending=self._ending), _rough_tokens(request)
        priced = priced_candidate(self._context.experiment, candidate.name, candidate.model, candidate.target)
        if not self._is_local:
            self._first.wait(_who(candidate))
        while True:
            self._pace.begin(turn, tokens)
            try:
                reserved = self._costs.reserve(priced, request)
            except BaseException:
                self._pace.skipped()
                self._stop()
                raise
            try:
                said = self._send(request)
            except BaseException as error:
                self._costs.give_back(reserved, request, lost=isinstance(error, ServiceError) and error.lost)
                pause = self._after(turn, request, error)
                self._pace.rest(pause, self._ending)
            else:
                return said, self._costs.count(reserved, request, said)

    def _after(self, turn: Turn, request: Request, error: BaseException) -> float:
        """Return how long to wait before the request is tried again, or raise the error."""
        if not isinstance(error, ServiceError) or self._is_local:
            self._pace.skipped()
        else:
            try:
                return self._pace.failed(turn, error)
            except ServiceError:
                pass
        if isinstance(error, FtrunError):
            self._failed(request, error)
        self._stop()  # at once: the caller may be busy
        if isinstance(error, FtrunError) and not self._own:
            _name_target(error, self._experiment.target.name)
        raise error

    @property
    def _is_local(self) -> bool:
        return self._experiment.target.provider == "local"

    def _send(self, request: Request) -> Reply:
        from ftrun.paid.removed_models import missing_error
        from ftrun.targets.refusals import explained

        context, model = self._context, request.candidate.model
        name = self._called(model)
        try:
            with explained(context.experiment, "eval"):
                return self._service.chat(
                    name, request.messages, request.sampling, tools=request.tools, once=not self._is_local
                )
        except NotFoundError as error:
            with self._explaining:
                ours = self._own and name == model
                gone = missing_error(context, self._service, model) if ours else None
            if gone is None:
                raise
            raise gone from error
        except ServiceError as error:
            if self._is_local and error.code == "unreachable":
                error.problem.hint = ENGINE_ENDED
            raise


def _pace_of(experiment: Experiment, service: Service) -> Pace:
    """Return the pace to begin with: the engine says how many questions it takes, others are tried out."""
    asked = experiment.target.concurrency
    if experiment.target.provider == "local":
        most = asked or service.at_once
        return Pace(most, first=most)
    return Pace(MOST) if asked is None else Pace(asked, first=min(asked, CERTAIN))


def _who(candidate: Candidate) -> tuple[str | None, str]:
    return candidate.target, candidate.model


def _rough_tokens(request: Request) -> int:
    """Return about how many tokens a request counts for in a service's rate limit."""
    letters = sum(len(str(one.get("content") or "")) for one in request.messages)
    return letters // LETTERS_PER_TOKEN + int(request.sampling.get("max_tokens") or USUAL_ANSWER)


def _name_target(error: FtrunError, name: str) -> None:
    """Say at which other target of the file it went wrong."""
    problem = error.problem
    problem.message = f"target {name!r}: {problem.message}"
    error.args = (problem.message,)
