"""What a stage is given: the experiment, its state and folder, the settings of the run, and a connection."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

from ftrun.cost.candidates import is_free, target_named
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.experiment.target import Target
from ftrun.state import State, StateStore
from ftrun.targets import Service, address_of, agree, connect, is_local
from ftrun.targets.pace import Paces

LOCAL_POLL = (0.2, 2.0)  # seconds


def where_is(target: Target) -> str:
    """Return the address of a target, for messages."""
    return "the engine on this machine" if is_local(target) else address_of(target)


class Emit(Protocol):
    """Where stages report what happens; reporters decide what of it is shown."""

    def __call__(self, kind: str, **data: Any) -> None:
        """Report one event."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a run should behave: the options of `ftrun run`.

    `until` and `force` name stages. `scorers` are own ones (entry points) that a person named.
    `evaluate_only`: nothing is trained. `confirm_not_created`: a person says that an unclear request created
    no job. `max_wait` is in seconds. `wait_for_lock`: wait for another run instead of stopping. `ask` puts a
    question to a person; None: nobody is there.
    """

    yes: bool = False
    detach: bool = False
    until: str | None = None
    force: str | None = None
    confirm_not_created: bool = False
    max_wait: float | None = None
    wait_for_lock: bool = False
    ask: Callable[[str], bool] | None = None
    scorers: tuple[str, ...] = ()
    evaluate_only: bool = False


def agree_to(experiment: Experiment, settings: RunSettings) -> None:
    """Return if everything that would be sent to the target may be sent; DecisionError if the user doesn't
    agree. A budget counts as a yes for servers on this machine.
    """
    budgeted = experiment.budget.usd is not None
    agree(experiment, yes=settings.yes, ask=settings.ask, here=budgeted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What a person or the budget agreed to: the stages that may run, and what they should cost."""

    stages: frozenset[str] = frozenset()
    estimate: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Context:
    """Everything that a stage may use.

    `folder` holds the run's files. `options` are the options that choose what is meant (--set, --runs-dir),
    for commands that are shown. `spent` is the US$ that count against the run's budget so far. `needs_files`:
    there is work to do, so files that a fresh clone lacks are written again. `fresh` holds results of stages
    computed for a plan alone, and `prepared` is where their files are, if not in `folder`. `starting` is the
    thread that starts the engine on this machine early. `paces` are shared with other experiments that are
    asked at the same time, if there are any.
    """

    experiment: Experiment
    folder: Path
    state: State
    store: StateStore
    emit: Emit
    settings: RunSettings = field(default_factory=RunSettings)
    options: Sequence[str] = ()
    approval: Approval = field(default_factory=Approval)
    spent: float = 0.0
    needs_files: bool = False
    fresh: dict[str, dict[str, Any]] = field(default_factory=dict)
    prepared: Path | None = None
    starting: Thread | None = None
    paces: Paces | None = None
    _service: Service | None = None
    _others: dict[str, Service] = field(default_factory=dict)

    def service(self) -> Service:
        """Return the connected target; the first call connects, and may start the engine."""
        if self._service is None:
            if self.starting is not None:
                self.starting.join()
            self._service = connect(self.experiment, lambda text: self.emit("note", text=text))
        return self._service

    def service_of(self, target: str | None) -> Service:
        """Return the connection to the target of the file of that name; None: the experiment's own.

        The first call connects. DecisionError if the user has not agreed to send what that target needs.
        """
        if target is None or target == self.experiment.target.name:
            return self.service()
        if target not in self._others:
            other = self.aimed_at(target)
            agree_to(other, self.settings)
            self._others[target] = connect(other, lambda text: self.emit("note", text=text))
        return self._others[target]

    def aimed_at(self, target: str | None) -> Experiment:
        """Return the experiment on that target of the file; None: on its own."""
        return replace(self.experiment, target=target_named(self.experiment, target))

    def reconnect(self) -> Service:
        """Close the connection and open another."""
        self.close()
        return self.service()

    def close(self) -> None:
        """Close the connections that there are."""
        if self._service is not None:
            self._service.close()
            self._service = None
        while self._others:
            self._others.popitem()[1].close()

    @property
    def local(self) -> bool:
        """Return whether the target is the engine on this machine."""
        return is_local(self.experiment.target)

    @property
    def free(self) -> bool:
        """Return whether nothing here can cost money: only the engine on this machine is used."""
        return is_free(self.experiment)

    @property
    def where(self) -> str:
        """Return the address of the target, for messages."""
        return where_is(self.experiment.target)

    def awaited_answers(self, service: Service, progress: str, target: Target | None = None) -> str:
        """Return what is waited for while `service` (of the experiment's target, or another) is asked several
        questions, with how far they are.
        """
        where, seconds = where_is(target or self.experiment.target), service.busy_seconds()
        if not seconds:
            return f"answers from {where}: {progress}"
        return f"answers from {where}, which is busy for about {seconds:.0f} s: {progress}"

    @property
    def poll(self) -> tuple[float, float]:
        """Return the first and the longest pause between two looks, in seconds."""
        return LOCAL_POLL if self.local else self.experiment.target.poll

    def result(self, stage: str) -> Mapping[str, Any]:
        """Return the facts that an earlier stage found; empty when it never ran."""
        if stage in self.fresh:
            return self.fresh[stage]
        record = self.state.stages.get(stage)
        return record.result if record else {}

    def save(self, *, no_way_back: bool = False) -> None:
        """Write the state durably; with `no_way_back` its backup too."""
        self.store.save(self.state, no_way_back=no_way_back)

    def command(self, name: str, *words: str, after: Sequence[str] = ()) -> str:
        """Return, ready to be typed, a command for this experiment and target; `after` follows CONFIG."""
        file, target = shown_path(self.experiment.file), self.experiment.target.name
        return shlex.join(["ftrun", name, file, *after, "--target", target, *self.options, *words])

    def sha(self, role: str) -> str | None:
        """Return the SHA-256 of the prepared file of that role (train, validation, test), if there is one."""
        file = self.result("prepare").get("files", {}).get(role)
        return str(file["sha256"]) if file else None

    def path(self, role: str) -> Path:
        """Return the path of the prepared file of that role."""
        return (self.prepared or self.folder) / f"{role}.jsonl"
