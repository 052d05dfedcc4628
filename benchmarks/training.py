"""Training speed, peak memory and final loss, side by side in one run: our engine, with all layers or the
top ones, against TRL's SFTTrainer, with its defaults and with packing.

Usage: python benchmarks/training.py [ROUNDS]. Same model, token ids, first adapter, order, batch size and
learning rate (in so few steps ours has no warm-up, as TRL's default), so that the losses must agree; all else
of TRL's is its default: it pads, for one. With packing TRL chooses what goes into a row, of as many tokens as
a batch has; the top layers learn less by design. The sides run in turn, each in a process of its own, each
round with another seed; the adapters are then scored by one and the same function over the training data.
The engine's number format (FTRUN_DTYPE) also decides whether TRL computes in mixed precision.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ftrun.engine.backends import NumberFormat, TrainingJob, TrainingResult
from ftrun.engine.child_process import KEEP_MEMORY

ROOT = Path(__file__).resolve().parents[1]
MODEL = "smollm2-135m-instruct"
EPOCHS, BATCH, ROUNDS = 3, 4, 2
TOP_LAYERS = 8
GOALS = {"bfloat16": 3.0, "float32": 1.6}  # times TRL's tokens per second, by our number format
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


def train_ours(folder: Path, seed: int, **more: int) -> tuple[Path, float]:
    """Train with ftrun's engine; return the adapter's folder and the seconds of training."""
    from ftrun.engine.torch_backend import train

    job = TrainingJob(
        id="bench",
        model=MODEL,
        training_file=training_file(folder),
        validation_file=None,
        hyperparameters={"n_epochs": EPOCHS, "batch_size": BATCH, "learning_rate_multiplier": 1.0, **more},
        seed=seed,
        work=folder,
    )
    watch = Stopwatch()
    result: TrainingResult = train(job, watch)
    return result.model_folder, watch.ended - watch.began


def train_top(folder: Path, seed: int) -> tuple[Path, float]:
    """Train the top layers only."""
    return train_ours(folder, seed, top_layers=TOP_LAYERS)


def prepare(folder: Path, seed: int) -> None:
    """Write what TRL starts from: our first adapter, and the examples of every epoch as ids, in our order."""
    from ftrun.engine.models.base import load_model
    from ftrun.engine.models.lora import attach, new_adapter, save_adapter
    from ftrun.engine.training.schedule import make_schedule

    model = load_model(MODEL)
    (folder / "start").mkdir()
    attach(model.layers, new_adapter(model.layers, seed=seed))
    save_adapter(folder / "start", model.layers, base=MODEL)
    encoded = [one for row in rows() for one in model.encoder.examples(prompt_of(row) + answer_of(row))]
    requested = {"n_epochs": EPOCHS, "batch_size": BATCH}
    schedule = make_schedule(requested, examples=len(encoded), seed=seed)
    order = [index for epoch in range(EPOCHS) for batch in schedule.batches(epoch) for index in batch]
    examples = [
        {"input_ids": encoded[i].ids, "completion_mask": [int(flag) for flag in encoded[i].learned]}
        for i in order
    ]
    known = {"base": model.causal.config.name_or_path, "bf16": model.causal.dtype.itemsize == 2}
    (folder / "trl.json").write_text(json.dumps({**known, "examples": examples}), encoding="utf-8")


def train_trl(folder: Path, seed: int, **more: Any) -> tuple[Path, float]:
    """Train with TRL's SFTTrainer; return the adapter's folder and the seconds of training."""
    import torch
    from datasets import Dataset
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from ftrun.engine.training.schedule import LEARNING_RATE

    known = json.loads((folder / "trl.json").read_text(encoding="utf-8"))
    base = AutoModelForCausalLM.from_pretrained(known["base"], dtype=torch.float32)
    # on a CPU TRL wants to be told so; its default, mixed precision, is slower where ours is float32
    precision = {} if torch.cuda.is_available() else {"use_cpu": True, "bf16": known["bf16"]}
    trainer = SFTTrainer(
        model=PeftModel.from_pretrained(base, str(folder / "start"), is_trainable=True),
        args=SFTConfig(
            output_dir=str(folder),
            num_train_epochs=1,  # of data that holds every epoch, in the same order as ours
            train_sampling_strategy="sequential",
            learning_rate=LEARNING_RATE,
            seed=seed,
            report_to="none",
            completion_only_loss=True,
            **{"per_device_train_batch_size": BATCH, **precision, **more},
        ),
        train_dataset=Dataset.from_list(known["examples"]),
        processing_class=AutoTokenizer.from_pretrained(known["base"]),
    )
    began = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - began
    trainer.save_model(str(folder / "adapter"))
    return folder / "adapter", seconds


def train_packed(folder: Path, seed: int) -> tuple[Path, float]:
    """Train with TRL's packing, in rows of as many tokens as a batch has on average."""
    examples = json.loads((folder / "trl.json").read_text(encoding="utf-8"))["examples"]
    tokens = BATCH * statistics.mean(len(one["input_ids"]) for one in examples)
    return train_trl(folder, seed, packing=True, max_length=round(tokens), per_device_train_batch_size=1)


SIDES = {"ours": train_ours, "top": train_top, "trl": train_trl, "packed": train_packed}
NAMES = {
    "ours": "ours",
    "top": f"ours, top {TOP_LAYERS} layers",
    "trl": "TRL's defaults",
    "packed": "TRL with packing",
}
Result = dict[str, Any]


def run_side(side: str, folder: Path, seed: int) -> Result:
    """Train one side; return its tokens per second, its loss over the training data, its peak of MB."""
    adapter, seconds = SIDES[side](folder, seed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
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
    speed, format_ = EPOCHS * examples.tokens / seconds, str(model.dtype).removeprefix("torch.")
    return {"tokens_per_second": speed, "loss": score.loss, "peak": peak, "format": format_}


def measure(side: str, seed: int) -> Result:
    """Run one side in a process of its own, ours in the environment of a job, and return what it measured."""
    ours = side in ("ours", "top")
    with tempfile.TemporaryDirectory() as folder:
        if not ours:  # in another process, so that its memory is not TRL's
            subprocess.run([sys.executable, __file__, "--prepare", folder, str(seed)], check=True)
        command = [sys.executable, __file__, "--side", side, folder, str(seed)]
        environment = {**(KEEP_MEMORY if ours else {}), **os.environ}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: Result = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{NAMES[side]:<20} {found['tokens_per_second']:7.1f} tokens/s   final loss {found['loss']:.4f}   "
        f"peak {found['peak']:,.0f} MB",
        flush=True,
    )
    return found


def main(words: list[str]) -> None:
    """Measure all sides in turn, round by round, and print the ratios of the means."""
    if words[:1] == ["--prepare"]:
        prepare(Path(words[1]), int(words[2]))
        return
    if words[:1] == ["--side"]:
        print(json.dumps(run_side(words[1], Path(words[2]), int(words[3]))))
        return
    results: dict[str, list[Result]] = {side: [] for side in SIDES}
    for seed in range(int(words[0]) if words else ROUNDS):
        for side in SIDES:
            results[side].append(measure(side, seed))
    format_ = results["ours"][0]["format"]
    speed, loss, peak = (_means(results, name) for name in ("tokens_per_second", "loss", "peak"))
    print(f"our number format: {format_}; TRL's: {'float32' if format_ == 'float32' else 'mixed precision'}")
    print(f"speed: {speed['ours'] / speed['trl']:.2f} times TRL's (goal: at least {GOALS[format_]:g})")
    print(f"       {speed['ours'] / speed['packed']:.2f} times TRL's with packing")
    print(f"       {speed['top'] / speed['trl']:.2f} times TRL's where only the top layers are trained")
    print(f"final loss: {loss['ours'] / loss['trl'] - 1:+.1%} of TRL's (goal: within 2 %)")
    print(f"peak memory: {peak['ours'] / peak['trl']:.2f} times TRL's")


def _means(results: Mapping[str, list[Result]], name: str) -> dict[str, Any]:
    return {side: statistics.mean(one[name] for one in found) for side, found in results.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
