"""Several rescues: all are priced, one question agrees to all of them, and what fails stops no other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from threading import Event, Lock, Thread
from typing import Any

from ftrun.cost.amounts import money
from ftrun.cost.consent import consent
from ftrun.errors import DecisionError, FtrunError
from ftrun.runner.rescuing.pricing import RescueEstimate
from ftrun.runner.rescuing.questions import RescueOptions
from ftrun.runner.rescuing.rescue import OneRescue, Rescued
from ftrun.runner.session import Session
from ftrun.targets.pace import Paces
from ftrun.waiting import unreported, waiting
from ftrun.workflow.context import Emit, RunSettings

FEWEST, MOST = 6, 24  # experiments that are asked at one time: more where each asks little
TOGETHER = 400  # questions of those that are asked at one time, about
MANY = 500  # questions of one that uses all that a service takes
LAST_WORDS = 1.5  # seconds that each has after Ctrl-C to write down what it has


def rescue_all(
    sessions: Sequence[Session], settings: RunSettings, options: RescueOptions, emit: Emit
) -> list[Rescued]:
    """Record the answers of every experiment's tuned model and base; each result has what ended it early."""
    rescues = [OneRescue(session, settings, options, emit) for session in sessions]
    try:
        for rescue in rescues:
            _price(rescue, emit, alone=len(rescues) == 1)
        whole = sum(_is_whole(rescue) for rescue in rescues)
        if len(rescues) > 1 and whole:
            emit("note", text=f"with all answers already, so that nobody is asked: {whole} of {len(rescues)}")
        _agree([one for one in rescues if one.result.error is None], settings, emit)
        _ask_all([one for one in rescues if one.result.error is None], emit)
    except KeyboardInterrupt as error:
        for rescue in rescues:
            if rescue.result.error is None and not rescue.result.ended:
                rescue.result.error = error
    return [rescue.result for rescue in rescues]


def _ask_all(rescues: Sequence[OneRescue], emit: Emit) -> None:
    """Ask those with few questions side by side, since one that asks few uses little of what a service takes;
    then the others, and those with nothing to ask, one after the other.
    """
    missing = {id(one): one.result.asked.missing for one in rescues if one.result.asked is not None}
    few = [one for one in rescues if 0 < missing[id(one)] < MANY]
    if len(few) > 1:
        _Together(few, emit).run()
        rescues = [one for one in rescues if one not in few]
    for rescue in rescues:
        if len(rescues) > 1 and missing[id(rescue)]:
            emit("note", text=f"{_name(rescue)}: asking")
        _ask(rescue)


def _ask(rescue: OneRescue) -> None:
    try:
        rescue.ask()
    except FtrunError as error:
        rescue.result.error = error
    except KeyboardInterrupt as error:
        rescue.result.error = error
        raise


class _Together:
    """Several rescues at the same time, each in a thread, at the pace that each service takes from all."""

    def __init__(self, rescues: Sequence[OneRescue], emit: Emit) -> None:
        self._rescues, self._paces = rescues, Paces()
        self._of = sum(one.result.asked.missing for one in rescues if one.result.asked is not None)
        self._emit, self._saying, self._answers, self._ended = emit, Lock(), 0, 0
        self._stopping, self._failed = Event(), list[BaseException]()

    def run(self) -> None:
        """Ask all; after Ctrl-C each writes down what it has."""
        waiting_ones = iter(self._rescues)
        at_once = max(FEWEST, min(MOST, TOGETHER * len(self._rescues) // max(1, self._of)))
        threads = [
            Thread(target=self._work, args=(waiting_ones,), name="rescue", daemon=True)
            for _ in range(min(at_once, len(self._rescues)))
        ]
        with waiting(self._awaited):
            for thread in threads:
                thread.start()
            try:
                for thread in threads:
                    thread.join()
            except KeyboardInterrupt:
                self._stopping.set()
                until = time.monotonic() + LAST_WORDS
                for thread in threads:
                    thread.join(max(0.0, until - time.monotonic()))
                raise
        if self._failed:
            raise self._failed[0]

    def _work(self, rescues: Iterator[OneRescue]) -> None:
        with unreported():
            while not self._stopping.is_set():
                with self._saying:
                    rescue = next(rescues, None)
                if rescue is None:
                    return
                rescue.share(self._paces, partial(self._tell, _name(rescue)))
                try:
                    _ask(rescue)
                except KeyboardInterrupt:
                    return
                except BaseException as error:  # a bug: raised in the caller's thread
                    self._failed.append(error)
                    self._stopping.set()
                self._ended += 1

    def _tell(self, name: str, kind: str, **data: Any) -> None:
        """Report an event of one of them. After Ctrl-C the next answer, which is kept, is the last."""
        if self._stopping.is_set() and kind == "answer":
            raise KeyboardInterrupt
        with self._saying:
            if kind == "answer":
                self._answers += 1
                data |= {"number": self._answers, "of": self._of, "candidate": f"{name}, {data['candidate']}"}
            elif kind == "note":
                data["text"] = f"{name}: {data['text']}"
            elif kind == "warning":
                data["message"] = f"{name}: {data['message']}"
            self._emit(kind, **data)

    def _awaited(self) -> str:
        ended, of = self._ended, len(self._rescues)
        return f"answers: {self._answers:,} of {self._of:,} received, {ended} of {of} experiments done"


def _is_whole(rescue: OneRescue) -> bool:
    """Return whether all its answers are kept already."""
    return rescue.result.asked is not None and not rescue.result.asked.missing


def _price(rescue: OneRescue, emit: Emit, *, alone: bool) -> None:
    try:
        rescue.price()
    except FtrunError as error:
        rescue.result.error = error
        return
    asked = rescue.result.asked
    assert asked is not None
    for note in asked.notes:
        emit("note", text=f"{_name(rescue)}: {note}")
    if alone or asked.missing:
        emit("note", text=_asked_words(rescue, asked))


def _name(rescue: OneRescue) -> str:
    experiment = rescue.session.experiment
    return f"{experiment.name} on {experiment.target.name}"


def _rate(rescue: OneRescue) -> float | None:
    return rescue.session.experiment.budget.yen_per_usd


def _asked_words(rescue: OneRescue, asked: RescueEstimate) -> str:
    """Return in words how many answers are missing, and what they cost."""
    experiment, (read, written), total = rescue.session.experiment, asked.tokens, asked.total
    name, target, number = experiment.name, experiment.target.name, asked.missing
    if not number:
        return f"{name} on {target}: all {total:,} answers are already recorded; nothing is asked"
    if not asked.paid:
        return (
            f"{name} on {target}: {number:,} of {total:,} answers will be requested ({read:,} tokens read, "
            f"at most {written:,} written), free on this machine"
        )
    if asked.usd is None:
        return (
            f"{name} on {target}: {number:,} of {total:,} answers will be requested ({read:,} tokens read, "
            f"at most {written:,} written), price unknown"
        )
    cost = money(asked.usd, _rate(rescue))
    return (
        f"{name} on {target}: {number:,} of {total:,} answers will be requested ({read:,} tokens read, at "
        f"most {written:,} written), at most {cost}"
    )


def _agree(rescues: Sequence[OneRescue], settings: RunSettings, emit: Emit) -> None:
    """Ask once for consent to all that costs money and has no budget; without it none of these is asked."""
    paid = [one for one in rescues if one.result.asked is not None and one.result.asked.paid]
    total = _total([one.result.asked for one in paid])
    if len(paid) > 1 and total["usd"] is not None:
        emit("note", text=f"together at most {money(total['usd'], _rate(paid[0]))}")
    open_ones = [one for one in paid if one.session.experiment.budget.usd is None]
    if not open_ones:
        return
    wanted = {**_total([one.result.asked for one in open_ones]), "yen_per_usd": _rate(open_ones[0])}
    targets = ", ".join(dict.fromkeys(one.session.experiment.target.name for one in open_ones))
    try:
        consent(wanted, target=targets, budget=None, yes=settings.yes, ask=settings.ask, at_most=True)
    except DecisionError as error:
        for one in open_ones:
            one.result.error = error


def _total(asked: Sequence[RescueEstimate | None]) -> dict[str, Any]:
    """Return the US$ of all together and, where one is unknown, why."""
    costs = [one.usd for one in asked if one is not None]
    unknown = next(
        (one.estimate.get("unknown") for one in asked if one is not None and one.usd is None), None
    )
    return {"usd": None if None in costs else sum(one or 0.0 for one in costs), "unknown": unknown}
