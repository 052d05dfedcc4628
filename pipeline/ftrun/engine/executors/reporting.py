"""Write to the store how a job's training goes: the TrainingReport that its process gives to the backend."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ftrun.engine.backends import Cancelled, NumberFormat, Paused, TrainingResult
from ftrun.engine.store import Store, StoredJob
from ftrun.engine.store.records import MOVING, RESTING, UNFINISHED

# OpenAI's five columns always, the newer ones if a value is known
COLUMNS = ("train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy")
NEWER_COLUMNS = ("train_mean_token_accuracy", "full_valid_loss", "full_valid_mean_token_accuracy")
CHECKPOINT_METRICS = frozenset({*COLUMNS, *NEWER_COLUMNS} - {"train_accuracy"})


class JobReport:
    """Record what a backend reports about a job; everything is committed when a call returns."""

    def __init__(self, store: Store, job: StoredJob) -> None:
        """Report on `job` to `store`."""
        self._store, self._job, self._total = store, job, 0

    def event(self, message: str, *, level: Literal["info", "warn", "error"] = "info") -> None:
        """Add a message event; raises Cancelled when the job was asked to stop."""
        self._raise_if_ended()
        self._store.jobs.add_event(self._job.id, message, level=level)

    def started(
        self,
        *,
        hyperparameters: Mapping[str, int | float | str],
        total_steps: int,
        dtype: NumberFormat | None = None,
    ) -> None:
        """Make the job `running` with its resolved hyperparameters and its number format."""
        self._total = total_steps
        with self._store.database.transaction():
            found = {"hyperparameters": dict(hyperparameters), "dtype": dtype}
            if not self._store.jobs.move(self._job.id, "running", start=MOVING[:-1], **found):
                raise Paused if self._status in RESTING else Cancelled
            self._store.jobs.add_event(self._job.id, f"Training started: {total_steps} steps.")

    def step(self, step: int, metrics: Mapping[str, float], *, seconds_left: float | None = None) -> None:
        """Record a step; raises Cancelled when the job was asked to stop, Paused when asked to pause."""
        data: dict[str, Any] = {"step": step, "total_steps": self._total, **metrics}
        if seconds_left is not None:
            data["seconds_left"] = round(seconds_left, 1)
        loss = f": training loss={metrics['train_loss']:.4f}" if "train_loss" in metrics else ""
        with self._store.database.transaction():
            self._raise_if_ended()
            self._store.jobs.add_step(self._job.id, step, metrics)
            self._store.jobs.add_event(self._job.id, f"Step {step}/{self._total}{loss}", data=data)
            if seconds_left is not None:
                self._store.jobs.note(self._job.id, estimated_finish=int(time.time() + seconds_left))
            # resumed before this process noticed that it was to pause
            self._store.jobs.move(self._job.id, "running", start=["validating_files", "queued"])
        if self._status in RESTING:
            raise Paused

    def checkpoint(self, step: int, folder: Path, metrics: Mapping[str, float]) -> None:
        """Make a checkpoint usable as `<model>:ckpt-step-<step>`."""
        name = f"{self._job.model_name}:ckpt-step-{step}"
        kept = {key: value for key, value in metrics.items() if key in CHECKPOINT_METRICS}
        with self._store.database.transaction():
            self._raise_if_ended()
            self._store.models.add(
                name, job_id=self._job.id, base=self._job.model, checkpoint=True, folder=folder
            )
            self._store.jobs.add_checkpoint(self._job.id, step=step, name=name, metrics=kept)
            self._store.jobs.add_event(self._job.id, f"Checkpoint {name} created.")

    def succeeded(self, result: TrainingResult) -> None:
        """Publish the model and the result file and end the job, in one transaction."""
        content = self._store.files.save(io.BytesIO(result_csv(self._store.jobs.steps(self._job.id))))
        with self._store.database.transaction():
            self._raise_if_ended()
            self._store.files.add(content, filename="step_metrics.csv", purpose="fine-tune-results")
            self._store.models.add(
                self._job.model_name,
                job_id=self._job.id,
                base=self._job.model,
                checkpoint=False,
                folder=result.model_folder,
            )
            self._store.jobs.move(
                self._job.id,
                "succeeded",
                hyperparameters=dict(result.hyperparameters),
                fine_tuned_model=self._job.model_name,
                result_file=content.id,
                trained_tokens=result.trained_tokens,
            )
            self._store.jobs.add_event(self._job.id, f"Model {self._job.model_name} created.")
            self._store.jobs.add_event(self._job.id, "The job has succeeded.")

    @property
    def _status(self) -> str:
        return self._store.jobs.require(self._job.id).status

    def _raise_if_ended(self) -> None:
        if self._status not in UNFINISHED:
            raise Cancelled


def result_csv(steps: list[tuple[int, dict[str, float]]]) -> bytes:
    """Return the result file of a job: one row per step, unknown values empty."""
    newer = [name for name in NEWER_COLUMNS if any(name in metrics for _, metrics in steps)]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["step", *COLUMNS, *newer])
    for step, metrics in steps:
        known = {"train_accuracy": metrics.get("train_mean_token_accuracy"), **metrics}
        table.writerow([step, *(known.get(name) for name in (*COLUMNS, *newer))])
    return text.getvalue().encode()
