"""The backend that trains nothing: it goes through every step of a job, and says so in every answer.

Needs neither torch nor weights. Losses are made up, deterministic and falling. An epoch takes about 0.1 s;
set FTRUN_REHEARSAL_SECONDS_PER_STEP to make it slower, to try out waiting, cancelling and crashes.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ftrun.engine.backends import (
    ChatModel,
    Paused,
    TrainingJob,
    TrainingReport,
    TrainingResult,
)
from ftrun.engine.examples import read_examples, rows_of
from ftrun.engine.rehearsal_chat import ADAPTER, RehearsalChat, count_tokens
from ftrun.files import write_json
from ftrun.protocol.spec import default_epochs

EPOCH_SECONDS = 0.1
STEPS_PER_EPOCH = 10  # at most, with batch_size auto
START_LOSS, END_LOSS = 3.2, 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class _RehearsalPlan:
    """How many steps there are, and how long each takes."""

    n_epochs: int
    batch_size: int
    per_epoch: int
    seconds: float

    @property
    def total(self) -> int:
        return self.n_epochs * self.per_epoch


def train(job: TrainingJob, report: TrainingReport) -> TrainingResult:
    """Pretend to train: report made-up losses, write a checkpoint per epoch; resume from the last one."""
    examples, tokens = _size(job)
    schedule = _schedule(job.hyperparameters, examples)
    multiplier = job.hyperparameters.get("learning_rate_multiplier", "auto")
    hyperparameters: dict[str, int | float | str] = {
        **job.hyperparameters,
        "n_epochs": schedule.n_epochs,
        "batch_size": schedule.batch_size,
        "learning_rate_multiplier": 1.0 if isinstance(multiplier, str) else multiplier,
    }
    report.started(hyperparameters=hyperparameters, total_steps=schedule.total)
    report.event("This is a rehearsal: nothing is trained.", level="warn")
    folder, earlier = job.work / "checkpoints", _steps(job.adapter)
    for step in range(_last_checkpoint(folder) + 1, schedule.total + 1):
        time.sleep(schedule.seconds)
        metrics = _metrics(job, step, schedule, tokens)
        checkpoint = folder / f"step-{step}" / ADAPTER
        adapter = {"model": job.model, "steps": earlier + step, "examples": examples}
        try:
            report.step(step, metrics, seconds_left=(schedule.total - step) * schedule.seconds)
        except Paused:
            write_json(checkpoint, adapter)
            raise
        if step % schedule.per_epoch == 0:
            write_json(checkpoint, adapter)
            report.checkpoint(step, checkpoint.parent, metrics)
    return TrainingResult(
        trained_tokens=tokens * schedule.n_epochs,
        hyperparameters=hyperparameters,
        model_folder=folder / f"step-{schedule.total}",
    )


def _size(job: TrainingJob) -> tuple[int, int]:
    """Return the number of examples and of tokens in the training file, read one example at a time."""
    examples = tokens = 0
    rows = rows_of(job.model, job.method)
    for messages in read_examples(job.training_file, param="training_file", row=rows):
        examples += 1
        tokens += sum(count_tokens(message["content"]) for message in messages)
    return examples, tokens


def open_chat(model: str) -> ChatModel:
    """Return the chat model for `model`; there is nothing to load."""
    return RehearsalChat()


def _schedule(requested: Mapping[str, int | float | str], examples: int) -> _RehearsalPlan:
    epochs, batch = requested.get("n_epochs", "auto"), requested.get("batch_size", "auto")
    n_epochs = default_epochs(examples) if isinstance(epochs, str) else int(epochs)
    batch_size = math.ceil(examples / STEPS_PER_EPOCH) if isinstance(batch, str) else int(batch)
    per_epoch = math.ceil(examples / batch_size)
    named = os.environ.get("FTRUN_REHEARSAL_SECONDS_PER_STEP")
    seconds = float(named) if named else EPOCH_SECONDS / per_epoch
    return _RehearsalPlan(n_epochs=n_epochs, batch_size=batch_size, per_epoch=per_epoch, seconds=seconds)


def _metrics(job: TrainingJob, step: int, schedule: _RehearsalPlan, tokens: int) -> dict[str, float]:
    """Return a falling loss with some noise that depends only on the seed and the step."""
    noise = int.from_bytes(hashlib.sha256(f"{job.seed} {step}".encode()).digest()[:4]) / 2**32 - 0.5
    fall = math.exp(-3 * step / schedule.total)
    loss = END_LOSS + (START_LOSS - END_LOSS) * fall * (1 + 0.05 * noise)
    metrics = {"train_loss": round(loss, 4), "train_mean_token_accuracy": round(math.exp(-loss / 2), 4)}
    if job.validation_file is not None and step % schedule.per_epoch == 0:
        valid = {
            "valid_loss": round(loss * 1.1, 4),
            "valid_mean_token_accuracy": round(math.exp(-loss * 0.55), 4),
        }
        metrics |= valid | {f"full_{name}": value for name, value in valid.items()}
    metrics["tokens_per_second"] = round(tokens / schedule.per_epoch / max(schedule.seconds, 1e-3), 1)
    return metrics


def _last_checkpoint(folder: Path) -> int:
    """Return the step of the last whole checkpoint of an earlier process, 0 if there is none."""
    return max((int(path.parent.name.split("-")[1]) for path in folder.glob(f"step-*/{ADAPTER}")), default=0)


def _steps(adapter: Path | None) -> int:
    """Return the number of steps that the model to start from was trained for."""
    if adapter is None:
        return 0
    return int(json.loads((adapter / ADAPTER).read_text(encoding="utf-8"))["steps"])
