"""The backend that trains and answers with open-weight models, by ftrun.engine.local."""

from __future__ import annotations

import os

from ftrun.engine.backends import ChatModel, TrainingJob, TrainingReport, TrainingResult
from ftrun.engine.extras import require_backend


def train(job: TrainingJob, report: TrainingReport) -> TrainingResult:
    """Train a LoRA adapter to the end; FtrunError if the extra `local` or the weights are missing."""
    _prepare(job.model)
    from ftrun.engine.training import loop as training  # torch: seconds that a rehearsal must not pay

    return training.train(job, report)


def open_chat(model: str) -> ChatModel:
    """Load the base model for answering; FtrunError if the extra `local` or the weights are missing."""
    _prepare(model)
    from ftrun.engine.inference.generate import TorchChat
    from ftrun.engine.models.base import load_model

    return TorchChat(load_model(model))


def _prepare(model: str) -> None:
    """Check that torch is there, and set what it reads only when it is loaded."""
    require_backend(model)
    # between two pieces of work its threads spin for milliseconds by default, and where other processes want
    # the same cores that made training five times slower; this is about 50 microseconds
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
