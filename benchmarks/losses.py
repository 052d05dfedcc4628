"""The first losses of a seeded training: ours beside those of a plain loop with Transformers and PEFT.

Usage: python benchmarks/losses.py [STEPS]. Same model, token ids, first adapter, order, batch size and
learning rates; the plain loop pads, and Transformers computes its loss. In float32 the two must agree; our
losses in bfloat16 must follow (a processor without bfloat16 takes minutes for them).
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftrun.engine.backends import Cancelled, NumberFormat, TrainingJob

ROOT = Path(__file__).resolve().parents[1]
MODEL = "smollm2-135m-instruct"
STEPS, SEED = 10, 7
WITHIN, WITHIN_BFLOAT16 = 1e-4, 0.02  # nats; a share of the loss


class FirstLosses:
    """A TrainingReport that keeps the training losses of the first `steps` steps, then cancels."""

    def __init__(self, steps: int) -> None:
        self.steps, self.losses = steps, list[float]()

    def event(self, message: str, *, level: str = "info") -> None:
        """Nothing to keep."""

    def started(
        self,
        *,
        hyperparameters: Mapping[str, int | float | str],
        total_steps: int,
        dtype: NumberFormat | None = None,
    ) -> None:
        """Nothing to keep."""

    def step(self, step: int, metrics: Mapping[str, float], *, seconds_left: float | None = None) -> None:
        """Keep the loss; end with the last one that is wanted."""
        self.losses.append(metrics["train_loss"])
        if step == self.steps:
            raise Cancelled

    def checkpoint(self, step: int, folder: Path, metrics: Mapping[str, float]) -> None:
        """Nothing to keep."""


def our_losses(job: TrainingJob, steps: int) -> list[float]:
    """Return the losses of the first steps of `job` in our engine."""
    from ftrun.engine.torch_backend import train

    report = FirstLosses(steps)
    try:
        train(job, report)
    except Cancelled:
        return report.losses
    raise ValueError(f"The job has only {len(report.losses)} steps.")


def plain_losses(job: TrainingJob, steps: int) -> list[float]:
    """Return the losses of the same steps in a plain loop: Transformers' model and loss, PEFT's adapter."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from ftrun.engine.models.base import load_model
    from ftrun.engine.models.lora import attach, new_adapter, save_adapter
    from ftrun.engine.training.examples import load_examples
    from ftrun.engine.training.schedule import make_schedule

    ours = load_model(job.model, begun="float32")
    examples = load_examples(job.training_file, ours.encoder, context=ours.context, param="").items
    schedule = make_schedule(job.hyperparameters, examples=len(examples), seed=job.seed)
    attach(ours.layers, new_adapter(ours.layers, seed=job.seed))
    with tempfile.TemporaryDirectory() as first:
        save_adapter(Path(first), ours.layers, base=job.model)
        base = AutoModelForCausalLM.from_pretrained(ours.causal.config.name_or_path, dtype=torch.float32)
        model = PeftModel.from_pretrained(base, first, is_trainable=True).eval()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, weight_decay=0.0)
    losses: list[float] = []
    batches = (batch for epoch in range(schedule.n_epochs) for batch in schedule.batches(epoch))
    for step, batch in zip(range(1, steps + 1), batches, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate(step)
        loss = model(**padded([examples[index] for index in batch])).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def padded(batch: Sequence[Any]) -> dict[str, Any]:
    """Return the examples as rows of one length: ids, attention mask and labels."""
    import torch

    longest = max(len(example.ids) for example in batch)

    def rows(values: Iterator[Sequence[int]], filling: int) -> Any:
        return torch.tensor([[*row, *[filling] * (longest - len(row))] for row in values])

    labels = (
        [token if flag else -100 for token, flag in zip(example.ids, example.learned, strict=True)]
        for example in batch
    )
    return {
        "input_ids": rows((example.ids for example in batch), 0),
        "attention_mask": rows(([1] * len(example.ids) for example in batch), 0),
        "labels": rows(labels, -100),
    }


def quickstart_job(folder: Path) -> TrainingJob:
    """Return a job with the data of configs/quickstart.yaml."""
    with (ROOT / "configs/data/quickstart.csv").open(encoding="utf-8", newline="") as file:
        pairs = [(row["user"], row["assistant"]) for row in csv.DictReader(file)]
    chats = (
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question, answer in pairs
    )
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats), encoding="utf-8")
    return TrainingJob(
        id="losses",
        model=MODEL,
        training_file=path,
        validation_file=None,
        hyperparameters={"n_epochs": 3, "batch_size": 4, "learning_rate_multiplier": 1.0},
        seed=SEED,
        work=folder,
    )


def main(words: list[str]) -> None:
    """Print the losses of the three, and the largest differences."""
    steps = int(words[0]) if words else STEPS
    with tempfile.TemporaryDirectory() as folder:
        job = quickstart_job(Path(folder))
        plain, found = plain_losses(job, steps), dict[str, list[float]]()
        for name in ("float32", "bfloat16"):
            os.environ["FTRUN_DTYPE"] = name
            found[name] = our_losses(replace(job, work=job.work / name), steps)
    print("step  plain loop  ours, float32  ours, bfloat16")
    for step, (one, two, three) in enumerate(zip(plain, *found.values(), strict=True), start=1):
        print(f"{step:4}  {one:10.6f}  {two:13.6f}  {three:14.6f}")
    apart = max(abs(one - two) for one, two in zip(plain, found["float32"], strict=True))
    share = max(abs(one / two - 1) for one, two in zip(found["bfloat16"], found["float32"], strict=True))
    print(f"float32: at most {apart:.1e} from the plain loop (goal: {WITHIN:g})")
    print(f"bfloat16: at most {share:.2%} from float32 (goal: {WITHIN_BFLOAT16:.0%})")


if __name__ == "__main__":
    main(sys.argv[1:])
