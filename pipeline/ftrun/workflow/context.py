"""What a stage is given: the experiment, its state and folder, a service on demand, and a voice."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.state import State, StateStore
from ftrun.targets import Service, address_of, connect, is_local

if TYPE_CHECKING:  # its HTTP client is loaded for deployments only
    from ftrun.experiment.target import Deployment
    from ftrun.paid.budgets import Limit
    from ftrun.targets.azure.deployments import Deployments


LOCAL_POLL = (0.2, 2.0)  # seconds


class Emit(Protocol):
    """Where stages tell what happens; reporters decide what of it is shown."""

    def __call__(self, kind: str, **data: Any) -> None:
        """Tell one event."""
        ...


@dataclass(slots=True, kw_only=True)
class Context:
    """Everything that a stage may touch.

    `folder` holds the run's files. `fresh` has results of stages computed for this plan alone (a preview).
    `max_wait` is in seconds. `confirmed_not_created`: a person says that an unclear call made no job.
    `consented`: the plan that was agreed to creates a job; `quote` is its estimate, `usage` counts the tokens
    of what was asked, by model and kind, and `came` is called after each answer; `asks` tells whether a
    question to the tuned model is open. `spent` is the US$ that this run's job cost, and what an earlier run
    of it that did not get to its end paid for;
    `limits` are the budgets that hold while questions are asked. `needs_files`: there is work to do, so files
    that a fresh clone lacks are made again; `prepared` is where the prepared files are if not in `folder` (a
    preview).
    `wait_for_lock`: wait for another run instead of stopping. `options` are those of this run that choose
    what is meant (--set, --runs-dir), for commands that are shown.
    """

    experiment: Experiment
    folder: Path
    state: State
    store: StateStore
    emit: Emit
    fresh: dict[str, dict[str, Any]] = field(default_factory=dict)
    force: str | None = None
    max_wait: float | None = None
    confirmed_not_created: bool = False
    consented: bool = False
    quote: Mapping[str, Any] = field(default_factory=dict)
    usage: Counter[tuple[str, str]] = field(default_factory=Counter)
    spent: float = 0.0
    limits: Sequence[Limit] = ()
    wait_for_lock: bool = False
    options: Sequence[str] = ()
    _service: Service | None = None
    connector: Callable[[], Service] | None = None
    asks: Callable[[], bool] = lambda: False
    came: Callable[[], None] = lambda: None
    needs_files: bool = False
    prepared: Path | None = None

    def service(self) -> Service:
        """Return the connected target; the first call connects, and may start the engine."""
        if self._service is None:
            note = self._note
            self._service = self.connector() if self.connector else connect(self.experiment, note)
        return self._service

    def reconnect(self) -> Service:
        """Connect anew, after the engine went away."""
        self.close()
        return self.service()

    def close(self) -> None:
        """Close the connection if there is one."""
        if self._service is not None:
            self._service.close()
            self._service = None

    def deployments(self, where: Deployment) -> Deployments:
        """Return the management of deployments at a resource of the target; the caller closes it."""
        from ftrun.targets.azure.deployments import Deployments

        target = self.experiment.target
        return Deployments(where, target.name, pause=min(target.poll[0] * 10, 10.0))

    def called(self, model: str) -> str:
        """Return the name under which the target answers for `model`: its deployment's, if it has one."""
        deployed = self.result("deploy")
        return str(deployed["deployment"]) if model and deployed.get("model") == model else model

    def _note(self, text: str) -> None:
        self.emit("note", text=text)

    @property
    def where(self) -> str:
        """Return the address of the target, for messages."""
        return "the engine on this machine" if self.local else address_of(self.experiment.target)

    @property
    def poll(self) -> tuple[float, float]:
        """Return the first and the longest pause between two looks, in seconds."""
        return LOCAL_POLL if self.local else self.experiment.target.poll

    @property
    def local(self) -> bool:
        """Return whether the target is the engine on this machine."""
        return is_local(self.experiment.target)

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
        """Return where the prepared file of that role lies."""
        return (self.prepared or self.folder) / f"{role}.jsonl"
