"""What a backend is, and the table of backends. A backend trains models and answers with them.

It is a module with `train` and `open_chat`. The engine's server never imports one: jobs and chats run in
their own processes, which import the backend of their model through `backend_for`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, cast

from ftrun.engine.questions import Progress, Question
from ftrun.protocol.spec import Method

NumberFormat = Literal["float32", "bfloat16"]  # of a base model


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """A job as a backend sees it: the paths of its files, and `work`, the job's own folder.

    Hyperparameters are those of the API, numbers or "auto"; n_epochs is always a number. The files were
    validated by `ftrun.engine.examples`, whose `read_examples` reads them. `work/checkpoints/` may have
    checkpoints of an earlier process of this job: resume from there. Without them training starts from
    `adapter`, an earlier TrainingResult.model_folder of the same model, if there is one. `dtype` is the
    number format in which an earlier process of this job began to train, None if there was none.
    """

    id: str
    model: str
    training_file: Path
    validation_file: Path | None
    hyperparameters: Mapping[str, int | float | str]
    seed: int
    work: Path
    adapter: Path | None = None
    method: Method = "supervised"
    dtype: NumberFormat | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """The result of a training: resolved hyperparameters, and the folder that chat will load."""

    trained_tokens: int
    hyperparameters: Mapping[str, int | float | str]
    model_folder: Path


class Cancelled(Exception):
    """The job was asked to stop; raised by `TrainingReport.step`."""


class Paused(Exception):
    """The job was asked to pause; raised by `TrainingReport.step` and `started`."""


class Rejected(Exception):
    """The training file or a parameter can't be used; `param` is the name of the API's field."""

    def __init__(
        self, message: str, *, code: str = "invalid_training_file", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.param = code, param


class TrainingReport(Protocol):
    """How a backend reports its progress; everything is durable when a call returns."""

    def event(self, message: str, *, level: Literal["info", "warn", "error"] = "info") -> None:
        """Add a message event to the job. Raises Cancelled when the job was asked to stop."""
        ...

    def started(
        self,
        *,
        hyperparameters: Mapping[str, int | float | str],
        total_steps: int,
        dtype: NumberFormat | None = None,
    ) -> None:
        """Report that the files are valid and training begins: the job becomes `running`, and keeps `dtype`,
        the number format of its base model.
        """
        ...

    def step(self, step: int, metrics: Mapping[str, float], *, seconds_left: float | None = None) -> None:
        """Record one step's metrics: train_loss, train_mean_token_accuracy, valid_loss,
        valid_mean_token_accuracy, full_valid_loss, full_valid_mean_token_accuracy (as many as are known),
        and tokens_per_second. Raises Cancelled when the job was asked to stop. Raises Paused, after recording
        the step, when it was asked to pause: write a checkpoint of this step to `work/checkpoints/`, and let
        the exception pass.
        """
        ...

    def checkpoint(self, step: int, folder: Path, metrics: Mapping[str, float]) -> None:
        """Record a usable checkpoint (one per epoch); `folder` is what chat will load."""
        ...


class TooLittleMemory(Exception):
    """There is not enough memory for an answer now; the message says what to do."""


class ChatModel(Protocol):
    """A loaded base model that generates up to `at_once` answers at one time, tuned or not."""

    at_once: int
    dtype: str

    def submit(self, question: Question) -> None:
        """Put a question into the queue, from one thread: any, beside that of `step`. Raises Rejected if it
        can't be answered.
        """
        ...

    def cancel(self, question: str) -> None:
        """Give up an answer, from any thread; an id that is unknown or ended changes nothing."""
        ...

    def embed(
        self, texts: Sequence[str | Sequence[int]], adapter: Path | None
    ) -> Iterator[tuple[Sequence[float], int]]:
        """Take in texts, or token ids, from the thread of `submit`; return what computes each one's embedding
        and number of tokens, a few at a time, from the thread of `step`.

        An embedding has length 1. Raises Rejected if a text can't be read.
        """
        ...

    @property
    def busy(self) -> bool:
        """Return whether a step has something to do."""
        ...

    def step(self) -> Sequence[Progress]:
        """Continue all answers, by about one token each; from one thread."""
        ...


class Backend(Protocol):
    """A module that trains and answers."""

    def train(self, job: TrainingJob, report: TrainingReport) -> TrainingResult:
        """Train to the end; raise Cancelled, Paused, Rejected, or any error with a message for the user."""
        ...

    def open_chat(self, model: str) -> ChatModel:
        """Load the base model `model` for answering."""
        ...


REHEARSAL = "rehearsal"
AT_ONCE = 32  # answers that a chat model generates at one time, at most: memory may allow fewer


def backend_for(model: str) -> Backend:
    """Return the backend of the base model `model`: rehearsal needs no torch, all others do."""
    module = "ftrun.engine.rehearsal" if model == REHEARSAL else "ftrun.engine.torch_backend"
    return cast(Backend, importlib.import_module(module))
