"""The training loop: epochs of packed batches, a step each, validation, checkpoints, resuming.

A step depends only on the data, the seed and its number, and the optimizer's state is in the checkpoint. So a
job that was killed resumes and ends with the result that it would have had.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ftrun.engine.backends import NumberFormat, Paused, TrainingJob, TrainingReport, TrainingResult
from ftrun.engine.models.base import LoadedModel, load_model
from ftrun.engine.models.lora import attach, layers_from, load_adapter, new_adapter
from ftrun.engine.training.checkpoint import Checkpoint, last_checkpoint, restore_optimizer, save_checkpoint
from ftrun.engine.training.examples import Examples, PackedRow, load_examples, pack
from ftrun.engine.training.loss import Network, Score, accumulate_gradients, evaluate
from ftrun.engine.training.schedule import Schedule, make_schedule
from ftrun.engine.training.top_layers import TopLayers, layers_of
from ftrun.errors import FtrunError
from ftrun.protocol.spec import METHOD_HYPERPARAMETERS

OWN = METHOD_HYPERPARAMETERS["supervised"]  # hyperparameters that the API doesn't have
GRADIENT_NORM = 1.0  # larger gradients are scaled down to it
CPU_ROW, GPU_ROW = 640, 8192  # tokens: a longer row saves no time but takes memory
QUICK_LOOKS = 10  # how often a part of the validation file is evaluated during a training, at most
QUICK_EXAMPLES = 8
QUICK_SHARE = 0.05  # of the training's time, at most; a look takes a third of a step's time per token


def train(job: TrainingJob, report: TrainingReport) -> TrainingResult:
    """Train a LoRA adapter for the job's base model; resume from its last checkpoint, if any."""
    model = load_model(job.model, announce=report.event, begun=job.dtype)
    training = _load(model, job, report)
    schedule = make_schedule(job.hyperparameters, examples=len(training.items), seed=job.seed)
    dtype: NumberFormat = "bfloat16" if model.dtype is torch.bfloat16 else "float32"
    own = {name: value for name, value in job.hyperparameters.items() if name in OWN}
    hyperparameters = schedule.hyperparameters | own
    report.started(hyperparameters=hyperparameters, total_steps=schedule.total_steps, dtype=dtype)
    with contextlib.ExitStack() as files:
        run = _Run(job=job, report=report, model=model, training=training, schedule=schedule, files=files)
        last = run.to_end()
    return TrainingResult(
        trained_tokens=schedule.n_epochs * training.tokens,
        hyperparameters=hyperparameters,
        model_folder=last.folder,
    )


def _load(model: LoadedModel, job: TrainingJob, report: TrainingReport) -> Examples:
    examples = load_examples(job.training_file, model.encoder, context=model.context, param="training_file")
    for warning in examples.warnings:
        report.event(warning, level="warn")
    return examples


class _Throughput:
    """Tokens and steps since this process began to train, and the time left."""

    def __init__(self, steps_left: int) -> None:
        self.began, self.tokens, self.steps, self.steps_left = time.monotonic(), 0, 0, steps_left

    def tick(self, tokens: int) -> tuple[float, float]:
        """Count a step; return tokens per second and seconds left."""
        self.tokens, self.steps, self.steps_left = self.tokens + tokens, self.steps + 1, self.steps_left - 1
        seconds = max(time.monotonic() - self.began, 1e-9)
        return self.tokens / seconds, seconds / self.steps * self.steps_left


@dataclass(kw_only=True)
class _Run:
    """The part of a job that one process trains."""

    job: TrainingJob
    report: TrainingReport
    model: LoadedModel
    training: Examples
    schedule: Schedule
    files: contextlib.ExitStack  # closes those that are open when the training ends

    @cached_property
    def validation(self) -> Examples | None:
        """Return the validation examples, read once."""
        if self.job.validation_file is None:
            return None
        path, context = self.job.validation_file, self.model.context
        examples = load_examples(path, self.model.encoder, context=context, param="validation_file")
        for warning in examples.warnings:
            self.report.event(warning, level="warn")
        return examples

    @cached_property
    def trained_layers(self) -> int | None:
        """Return how many of the last transformer layers are trained, None for all."""
        asked = self.job.hyperparameters.get("top_layers")
        if asked is None or int(asked) >= len(layers_of(self.model)):
            return None
        return int(asked)

    @cached_property
    def network(self) -> Network:
        """Return what is trained, with its adapter attached."""
        if self.trained_layers is None:
            return self.model
        top = TopLayers(self.model, self.trained_layers, self.job.work)
        return self.files.enter_context(contextlib.closing(top))

    @cached_property
    def quick_every(self) -> int:
        """Return the steps from one quick look at the validation file to the next."""
        assert self.validation is not None
        look = sum(len(item.ids) for item in self.validation.items[:QUICK_EXAMPLES]) / 3
        affordable = int(QUICK_SHARE * self.schedule.n_epochs * self.training.tokens / look)
        total = self.schedule.total_steps
        return max(1, total // min(QUICK_LOOKS, affordable)) if affordable else total

    def to_end(self) -> Checkpoint:
        """Train what is left and return the last checkpoint."""
        checkpoint = last_checkpoint(self.job.work / "checkpoints")
        parameters = self._attach(checkpoint)
        optimizer = torch.optim.AdamW(parameters, weight_decay=0.0, fused=True)
        if checkpoint is not None:
            restore_optimizer(checkpoint, optimizer, parameters)
            self.report.event(f"Resuming from the checkpoint of step {checkpoint.step}.")
            if checkpoint.step % self.schedule.steps_per_epoch == 0:  # otherwise it was written for a pause
                self.report.checkpoint(checkpoint.step, checkpoint.folder, checkpoint.metrics)
        clock = _Throughput(self.schedule.total_steps - (checkpoint.step if checkpoint else 0))
        for step, batch in self._batches(after=checkpoint.step if checkpoint else 0):
            score = self._step(step, batch, optimizer, parameters)
            metrics = self._metrics(step, score)
            speed, seconds_left = clock.tick(sum(row.ids.numel() for row in batch))
            metrics["tokens_per_second"] = speed
            try:
                self.report.step(step, metrics, seconds_left=seconds_left)
            except Paused:
                self._keep(step, metrics, optimizer, parameters)
                raise
            if step % self.schedule.steps_per_epoch == 0:
                checkpoint = self._save(step, metrics, optimizer, parameters)
        assert checkpoint is not None
        return checkpoint

    def _attach(self, checkpoint: Checkpoint | None) -> list[Tensor]:
        """Attach what training starts from, and return what it changes."""
        layers = trained = self.model.layers
        if self.trained_layers is not None:
            trained = layers_from(layers, len(layers_of(self.model)) - self.trained_layers)
        start = checkpoint.folder if checkpoint is not None else self.job.adapter
        earlier = load_adapter(start, layers) if start is not None else {}
        adapter = {**new_adapter(trained, seed=self.job.seed), **earlier}
        attach(layers, adapter)
        return attach(trained, adapter, train=True)

    def _batches(self, *, after: int) -> Iterator[tuple[int, list[PackedRow]]]:
        """Yield the number and the rows of each step after `after`."""
        per_epoch = self.schedule.steps_per_epoch
        for epoch in range(after // per_epoch, self.schedule.n_epochs):
            for number, batch in enumerate(self.schedule.batches(epoch), start=epoch * per_epoch + 1):
                if number > after:
                    yield number, self._pack([self.training.items[index] for index in batch])

    def _pack(self, items: Sequence[object]) -> list[PackedRow]:
        most = 1 if not self.model.packs else CPU_ROW if self.model.device.type == "cpu" else GPU_ROW
        return pack(items, most_tokens=most)  # type: ignore[arg-type]

    def _step(
        self,
        step: int,
        rows: Sequence[PackedRow],
        optimizer: torch.optim.Optimizer,
        parameters: Sequence[Tensor],
    ) -> Score:
        for group in optimizer.param_groups:
            group["lr"] = self.schedule.learning_rate(step)
        score = accumulate_gradients(self.network, rows)
        if not math.isfinite(score.loss):
            raise FtrunError(
                f"The loss became {score.loss} at step {step}: the learning rate is too high for this data.",
                code="diverged",
                hint="Set train.hyperparameters.learning_rate_multiplier to a tenth of its value.",
            )
        torch.nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad()
        return score

    def _metrics(self, step: int, score: Score) -> dict[str, float]:
        """Return the metrics of a step, with a full validation at an epoch's end and a quick one now and
        then.
        """
        metrics = {"train_loss": score.loss, "train_mean_token_accuracy": score.accuracy}
        if self.validation is None:
            return metrics
        ends_epoch = step % self.schedule.steps_per_epoch == 0
        if ends_epoch or step % self.quick_every == 0:
            items = self.validation.items
            quick = evaluate(self.network, self._pack(items[:QUICK_EXAMPLES]))
            metrics |= {"valid_loss": quick.loss, "valid_mean_token_accuracy": quick.accuracy}
        if ends_epoch:
            rest = items[QUICK_EXAMPLES:]
            full = quick + evaluate(self.network, self._pack(rest)) if rest else quick
            metrics |= {"full_valid_loss": full.loss, "full_valid_mean_token_accuracy": full.accuracy}
        return metrics

    def _save(
        self,
        step: int,
        metrics: dict[str, float],
        optimizer: torch.optim.Optimizer,
        parameters: Sequence[Tensor],
    ) -> Checkpoint:
        checkpoint = self._keep(step, metrics, optimizer, parameters)
        self.report.checkpoint(step, checkpoint.folder, metrics)
        return checkpoint

    def _keep(
        self,
        step: int,
        metrics: dict[str, float],
        optimizer: torch.optim.Optimizer,
        parameters: Sequence[Tensor],
    ) -> Checkpoint:
        """Write a checkpoint that this job can resume from."""
        return save_checkpoint(
            self.job.work / "checkpoints",
            step=step,
            metrics=metrics,
            base=self.job.model,
            layers=self.model.layers,
            optimizer=optimizer,
            parameters=parameters,
        )
