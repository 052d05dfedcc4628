"""What a stage is: a base class whose defaults fit a stage that is free and runs when its inputs change.

The runner knows no stage by name. Whatever it must know of one, the stage says here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from ftrun.errors import DecisionError, FtrunError
from ftrun.targets import Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, by_fingerprint


class Stage(ABC):
    """One step of a run. A simple stage has a `name`, `inputs` and `run`.

    `offline`: it is free and needs no target, so it is done, or previewed, before the rest is planned.
    `asks_model`: it asks a model questions, which the engine on this machine loads while earlier stages work.
    `trains`: it belongs to training, so `ftrun eval` leaves it out. `makes_news`: when it ran, stages with
    `follows_news` run too. `force_pays` says what `--force` pays for once more. `around_asking`: without it
    the tuned model doesn't answer (`before`), or it ends what that needs (`after`).
    """

    name: ClassVar[str]
    offline: ClassVar[bool] = False
    asks_model: ClassVar[bool] = False
    trains: ClassVar[bool] = False
    makes_news: ClassVar[bool] = True
    follows_news: ClassVar[bool] = False
    force_pays: ClassVar[str] = ""
    around_asking: ClassVar[Literal["", "before", "after"]] = ""

    @abstractmethod
    def inputs(self, context: Context) -> dict[str, Any]:
        """Return everything that can change the result, and nothing else."""

    @abstractmethod
    def run(self, context: Context) -> dict[str, Any]:
        """Do the work and return the facts for the state."""

    def outputs(self, context: Context) -> tuple[str, ...]:
        """Return the names of the files without which it must run again."""
        return ()

    def applies(self, context: Context) -> bool:
        """Return whether the target has this stage."""
        return True

    def decide(self, context: Context, remote: Service | None) -> Decision:
        """Say what would be done; may ask `remote`, changes nothing."""
        return by_fingerprint(context, self.name, self.inputs(context), self.outputs(context))

    def forced(self, context: Context) -> bool:
        """Return whether --force names this stage."""
        return context.settings.force == self.name

    # what it costs

    def costs(self, context: Context, decision: Decision) -> bool:
        """Return whether doing as decided can cost money on a target that is not local."""
        return False

    def priced(self, context: Context) -> Mapping[str, Any]:
        """Return what `paid.estimate` must count when this stage is paid for."""
        return {}

    def paid_before(self, context: Context) -> float:
        """Return the US$ that earlier runs, which did not finish, paid and that count against this one."""
        return 0.0

    def preflight(self, context: Context, decision: Decision, remote: Service | None) -> list[str]:
        """Return what to know before this is paid for; ConfigError for what can't succeed at the target."""
        return []

    def contacts(self, context: Context) -> bool:
        """Return whether running it needs the target."""
        return True

    def verify(self, context: Context) -> None:
        """Raise a UserError if it can't succeed, as far as the file and the prepared data show: it is called
        before anything is paid for or trained, when the stage would run.
        """

    def failure(self, context: Context) -> FtrunError | None:
        """Return the error of a run that was done, but whose result isn't good enough; None if it is."""
        return None

    # what comes before and after it

    def preview(self, context: Context, folder: Path) -> dict[str, Any]:
        """Return what `run` would return, with its files in `folder`: for a plan, by an offline stage."""
        return {}

    def before(self, context: Context) -> None:
        """Clean up what earlier runs left, before anything is paid for."""

    def blocked(self, context: Context, decision: Decision) -> FtrunError:
        """Return the error that ends a run where this stage is blocked."""
        return DecisionError("; ".join(decision.reasons), code=decision.code)

    def detach(self, context: Context) -> None:
        """Raise PendingError where --detach means that this stage is left to itself."""

    def keep(self, context: Context, *, skipped: bool) -> None:
        """Archive what the stage found, or restore what it found earlier, after it was done or skipped."""

    def after(self, context: Context) -> None:
        """Report what the run leaves behind, also when it failed."""
