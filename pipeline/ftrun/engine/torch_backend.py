"""The backend that trains open-weight models and answers with them."""

from __future__ import annotations

import os

from ftrun.engine.backends import ChatModel, TrainingJob, TrainingReport, TrainingResult
from ftrun.engine.extras import require_backend
from ftrun.engine.models.libraries import begin_to_load, load_libraries
from ftrun.engine.models.weights import Announce, model_folder, to_stderr
from ftrun.errors import FtrunError


def train(job: TrainingJob, report: TrainingReport) -> TrainingResult:
    """Train a LoRA adapter to the end; FtrunError if the extra `local` or the weights are missing."""
    _prepare(job.model, report.event)
    from ftrun.engine.inference.memory import is_out_of_memory
    from ftrun.engine.training import (
        loop as training,
    )  # loads torch, which takes seconds that a rehearsal must not need

    try:
        return training.train(job, report)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise FtrunError(
            "The memory was not enough for this training.",
            code="not_enough_memory",
            hint="Use shorter examples, top_layers or a smaller base model, or close other programs.",
        ) from error


def open_chat(model: str) -> ChatModel:
    """Load the base model for answering; FtrunError if the extra `local` or the weights are missing."""
    _prepare(model, to_stderr)
    from ftrun.engine.inference.batch import TorchChat
    from ftrun.engine.models.base import load_model

    return TorchChat(load_model(model))


def share_cores() -> None:
    """Let the threads of PyTorch, which is not loaded yet, wait without keeping others from their cores.

    Between two pieces of work they spin for milliseconds by default, which made training five times slower
    when other processes wanted the same cores; this is about 50 microseconds.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def _prepare(model: str, announce: Announce) -> None:
    """Make the model's folder if need be, and load torch meanwhile; FtrunError if it is not installed."""
    require_backend(model)
    share_cores()
    begin_to_load()
    model_folder(model, announce)
    load_libraries()
