"""The backend that trains open-weight models and answers with them."""

from __future__ import annotations

import os

from ftrun.engine.backends import ChatModel, TrainingJob, TrainingReport, TrainingResult
from ftrun.engine.extras import require_backend


def train(job: TrainingJob, report: TrainingReport) -> TrainingResult:
    """Train a LoRA adapter to the end; FtrunError if the extra `local` or the weights are missing."""
    _prepare(job.model)
    from ftrun.engine.training import (
        loop as training,
    )  # loads torch, which takes seconds that a rehearsal must not need

    return training.train(job, report)


def open_chat(model: str) -> ChatModel:
    """Load the base model for answering; FtrunError if the extra `local` or the weights are missing."""
    _prepare(model)
    from ftrun.engine.inference.batch import TorchChat
    from ftrun.engine.models.base import load_model

    return TorchChat(load_model(model))


def _prepare(model: str) -> None:
    """Check that torch is installed, and set what it reads when it is loaded."""
    require_backend(model)
    # between two pieces of work its threads spin for milliseconds by default, which made training five times
    # slower when other processes wanted the same cores; this is about 50 microseconds
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
