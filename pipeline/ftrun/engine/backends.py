"""The seam between the engine and what trains or answers: two Protocols and one explicit table.

A backend is a module with `train` and `open_chat`. The engine's server never imports one: jobs and chat
run in processes of their own, which import the backend of their model by this table.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """What a backend needs to train. `work` is the job's own folder.

    Hyperparameters are those of the API: numbers or "auto"; n_epochs is always a number already.
    The files were validated by `ftrun.engine.examples`, whose `read_examples` reads them.
    `work/checkpoints/` may hold what an earlier process of this job left: go on from there. Without that
    training starts from `adapter`, an earlier TrainingResult.model_folder of the same model, if there is one.
    """

    id: str
    model: str
    training_file: Path
    validation_file: Path | None
    hyperparameters: Mapping[str, int | float | str]
    seed: int
    work: Path
    adapter: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """What came of it. `hyperparameters` are the resolved ones; `model_folder` is what chat will load."""

    trained_tokens: int
    hyperparameters: Mapping[str, int | float]
    model_folder: Path


class Cancelled(Exception):
    """The job was asked to stop; raised by `TrainingReport.step`."""


class Paused(Exception):
    """The job was asked to rest; raised by `TrainingReport.step` and `started`."""


class Rejected(Exception):
    """The training file or a parameter can't be used; `param` names which (API's field)."""

    def __init__(
        self, message: str, *, code: str = "invalid_training_file", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.param = code, param


class TrainingReport(Protocol):
    """Where a backend tells how it goes; everything is durable when a call returns."""

    def event(self, message: str, *, level: Literal["info", "warn", "error"] = "info") -> None:
        """Add a message event to the job. Raises Cancelled when the job was asked to stop."""
        ...

    def started(self, *, hyperparameters: Mapping[str, int | float], total_steps: int) -> None:
        """Say that the files are valid and training begins: the job becomes `running`."""
        ...

    def step(self, step: int, metrics: Mapping[str, float], *, seconds_left: float | None = None) -> None:
        """Record one step's metrics: train_loss, train_mean_token_accuracy, valid_loss,
        valid_mean_token_accuracy, full_valid_loss, full_valid_mean_token_accuracy (as many as are known),
        and tokens_per_second. Raises Cancelled when the job was asked to stop; Paused, with the step
        recorded, when it was asked to rest: leave in `work/checkpoints/` what goes on behind this step, and
        raise on.
        """
        ...

    def checkpoint(self, step: int, folder: Path, metrics: Mapping[str, float]) -> None:
        """Record a usable checkpoint (one an epoch); `folder` is what chat will load."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to sample; temperature 0 is greedy."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 256
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(slots=True)
class Usage:
    """Tokens in and out, and why it ended: filled in while pieces are drawn."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: Literal["stop", "length"] = "stop"


class ChatModel(Protocol):
    """A loaded base model that answers, with or without a fine-tuned part."""

    def answer(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        adapter: Path | None,
        sampling: Sampling,
        usage: Usage,
    ) -> Iterator[str]:
        """Yield the answer in pieces. `adapter` is a TrainingResult.model_folder, None the base model."""
        ...


class Backend(Protocol):
    """A module that trains and answers."""

    def train(self, job: TrainingJob, report: TrainingReport) -> TrainingResult:
        """Train to the end; raise Cancelled or Rejected, or any error with words for the user."""
        ...

    def open_chat(self, model: str) -> ChatModel:
        """Load the base model `model` for answering."""
        ...


REHEARSAL = "rehearsal"


def backend_for(model: str) -> Backend:
    """Return the backend that serves the base model `model`: rehearsal needs no torch, all others do."""
    module = "ftrun.engine.rehearsal" if model == REHEARSAL else "ftrun.engine.torch_backend"
    return cast(Backend, importlib.import_module(module))
