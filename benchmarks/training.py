"""Training speed and final loss, side by side in one run: ours against TRL's SFTTrainer with its defaults.

Usage: python benchmarks/training.py [ROUNDS]. Same model, token ids, first adapter, order, batch size and
learning rate (in so few steps ours has no warm-up, as TRL's default), so that the losses must agree; all else
of TRL's is its default: it pads, for one. The sides run in turn, each in a process of its own, each round
with another seed; the adapters are then scored by one and the same function over the training data.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ftrun.engine.backends import NumberFormat, TrainingJob, TrainingResult

ROOT = Path(__file__).resolve().parents[1]
MODEL = "smollm2-135m-instruct"
EPOCHS, BATCH, ROUNDS = 3, 4, 2
SYSTEM = "You are Pell, a lighthouse keeper."


class Stopwatch:
    """A TrainingReport that keeps when training began and when the last step ended."""

    def __init__(self) -> None:
        self.began = self.ended = 0.0

    def event(self, message: str, *, level: Literal["info", "warn", "error"] = "info") -> None:
        """Nothing to keep."""

    def started(
        self,
        *,
        hyperparameters: Mapping[str, int | float | str],
        total_steps: int,
        dtype: NumberFormat | None = None,
    ) -> None:
        """Start."""
        self.began = time.perf_counter()

    def step(self, step: int, metrics: Mapping[str, float], *, seconds_left: float | None = None) -> None:
        """Stop, until the next step."""
        self.ended = time.perf_counter()

    def checkpoint(self, step: int, folder: Path, metrics: Mapping[str, float]) -> None:
        """Nothing to keep."""


def rows() -> list[dict[str, str]]:
    """Return the questions and answers of configs/quickstart.yaml."""
    with (ROOT / "configs/data/quickstart.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def prompt_of(row: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the messages before the answer."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": row["user"]}]


def answer_of(row: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the answer's message."""
    return [{"role": "assistant", "content": row["assistant"]}]


def training_file(folder: Path) -> Path:
    """Write the training file into `folder`."""
    path = folder / "train.jsonl"
    lines = (json.dumps({"messages": prompt_of(row) + answer_of(row)}) + "\n" for row in rows())
    path.write_text("".join(lines), encoding="utf-8")
    return path


def train_ours(folder: Path, seed: int) -> tuple[Path, float]:
    """Train with ftrun's engine; return the adapter's folder and the seconds of training."""
    from ftrun.engine.torch_backend import train

    job = TrainingJob(
        id="bench",
        model=MODEL,
        training_file=training_file(folder),
        validation_file=None,
        hyperparameters={"n_epochs": EPOCHS, "batch_size": BATCH, "learning_rate_multiplier": 1.0},
        seed=seed,
        work=folder,
    )
    watch = Stopwatch()
    result: TrainingResult = train(job, watch)
    return result.model_folder, watch.ended - watch.began


def train_trl(folder: Path, seed: int) -> tuple[Path, float]:
    """Train with TRL's SFTTrainer; return the adapter's folder and the seconds of training."""
    import torch
    from datasets import Dataset
    from peft import PeftModel
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    from ftrun.engine.models.base import load_model
    from ftrun.engine.models.lora import attach, new_adapter, save_adapter
    from ftrun.engine.training.schedule import LEARNING_RATE, make_schedule

    ours = load_model(MODEL)
    (folder / "start").mkdir()
    attach(ours.layers, new_adapter(ours.layers, seed=seed))
    save_adapter(folder / "start", ours.layers, base=MODEL)
    base = AutoModelForCausalLM.from_pretrained(ours.causal.config.name_or_path, dtype=torch.float32)
    encoded = [ours.encoder.example(prompt_of(row) + answer_of(row)) for row in rows()]
    requested = {"n_epochs": EPOCHS, "batch_size": BATCH}
    schedule = make_schedule(requested, examples=len(encoded), seed=seed)
    order = [index for epoch in range(EPOCHS) for batch in schedule.batches(epoch) for index in batch]
    data = Dataset.from_list(
        [
            {
                "input_ids": encoded[index].ids,
                "completion_mask": [int(flag) for flag in encoded[index].learned],
            }
            for index in order
        ]
    )
    # on a CPU TRL wants to be told so; its bfloat16 is slower there, and not what ours computes in
    precision = {} if torch.cuda.is_available() else {"use_cpu": True, "bf16": False}
    trainer = SFTTrainer(
        model=PeftModel.from_pretrained(base, str(folder / "start"), is_trainable=True),
        args=SFTConfig(
            output_dir=str(folder),
            num_train_epochs=1,  # of data that holds every epoch, in the same order as ours
            train_sampling_strategy="sequential",
            per_device_train_batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            seed=seed,
            report_to="none",
            completion_only_loss=True,
            **precision,
        ),
        train_dataset=data,
        processing_class=ours.tokenizer,
    )
    del ours
    began = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - began
    trainer.save_model(str(folder / "adapter"))
    return folder / "adapter", seconds


SIDES = {"ours": train_ours, "trl": train_trl}


def run_side(side: str, folder: Path, seed: int) -> dict[str, float]:
    """Train one side and return its tokens per second and its loss over the training data."""
    adapter, seconds = SIDES[side](folder, seed)
    from ftrun.engine.models.base import load_model
    from ftrun.engine.models.lora import attach, load_adapter
    from ftrun.engine.training.examples import load_examples, pack
    from ftrun.engine.training.loss import evaluate

    model = load_model(MODEL)
    examples = load_examples(
        training_file(folder), model.encoder, context=model.context, param="training_file"
    )
    attach(model.layers, load_adapter(adapter, model.layers))
    score = evaluate(model, pack(examples.items, most_tokens=640))
    return {"tokens_per_second": EPOCHS * examples.tokens / seconds, "loss": score.loss}


def measure(side: str, seed: int) -> dict[str, float]:
    """Run one side in a process of its own and return what it measured."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--side", side, folder, str(seed)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{side:<5} {found['tokens_per_second']:7.1f} tokens/s   final loss {found['loss']:.4f}", flush=True
    )
    return found


def main(words: list[str]) -> None:
    """Measure in turn, ours TRL ours TRL, and print the ratios of the means."""
    if words[:1] == ["--side"]:
        print(json.dumps(run_side(words[1], Path(words[2]), int(words[3]))))
        return
    results: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for seed in range(int(words[0]) if words else ROUNDS):
        for side in SIDES:
            results[side].append(measure(side, seed))
    speed, loss = (_means(results, name) for name in ("tokens_per_second", "loss"))
    print(f"speed: {speed['ours'] / speed['trl']:.2f} times TRL's (goal: at least 1)")
    print(f"final loss: {loss['ours'] / loss['trl'] - 1:+.1%} of TRL's (goal: within 2 %)")


def _means(results: Mapping[str, list[dict[str, float]]], name: str) -> dict[str, Any]:
    return {side: statistics.mean(one[name] for one in found) for side, found in results.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
