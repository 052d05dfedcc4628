"""Training and loading in either number format: what is measured, what follows, what stays as it began."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from conftest import ROOT
from engine.local.conftest import Recorder
from engine.test_crashes import job_pid, messages
from ftrun.engine.backends import NumberFormat, TrainingJob
from ftrun.engine.models.base import load_model
from ftrun.engine.models.lora import LoraLinear, attach, new_adapter
from ftrun.engine.models.matrix_products import measure_products
from ftrun.engine.models.number_format import choose
from ftrun.engine.torch_backend import train
from ftrun.engine.training.examples import load_examples, pack
from ftrun.engine.training.loss import accumulate_gradients
from support.engine_process import Engine, finish, wait_until

pytestmark = pytest.mark.local

MakeJob = Callable[..., TrainingJob]
ADAPTER = "adapter_model.safetensors"


def test_this_machine_is_measured() -> None:
    """Both speeds are found, and one thread was enough for it."""
    threads = torch.get_num_threads()
    found = measure_products()
    assert found.float32 > 0 and found.bfloat16 > 0
    assert torch.get_num_threads() == threads


def slow(one: Any, other: Any) -> Any:
    """Multiply as a processor does that has to convert bfloat16."""
    time.sleep(0.05 if one.dtype is torch.bfloat16 else 0)
    return one @ other


def wrong(one: Any, other: Any) -> Any:
    """Multiply with a tenth too much in bfloat16."""
    return one @ other * (1.1 if one.dtype is torch.bfloat16 else 1)


def no_number(one: Any, other: Any) -> Any:
    """Multiply to something that is not a number in bfloat16."""
    return one @ other * (float("nan") if one.dtype is torch.bfloat16 else 1)


def lacking(one: Any, other: Any) -> Any:
    """Multiply in float32 only."""
    if one.dtype is torch.bfloat16:
        raise RuntimeError("not implemented for 'BFloat16'")
    return one @ other


@pytest.mark.parametrize("product", [slow, wrong, no_number, lacking])
def test_a_machine_without_good_bfloat16_gets_float32(product: Callable[[Any, Any], Any]) -> None:
    """Slow, wrong, not finite or not there at all: none is an error, and none is chosen."""
    found = measure_products(product)
    assert choose(found) == "float32"
    assert found.right == (product is slow)


def test_a_model_is_in_the_format_and_learns_in_float32(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bfloat16 every weight of the base is; adapter, gradients, logits and checkpoints are float32."""
    monkeypatch.setenv("FTRUN_DTYPE", "bfloat16")
    report = Recorder()
    folder = train(make_job(n_epochs=1), report).model_folder
    assert report.dtype == "bfloat16"
    assert any("bfloat16, as FTRUN_DTYPE says" in message for _, message in report.events)
    for file in folder.glob("*.safetensors"):
        assert {tensor.dtype for tensor in load_file(file).values()} == {torch.float32}, file
    model = load_model(make_job().model)
    assert model.dtype is torch.bfloat16
    assert {weight.dtype for weight in model.causal.parameters()} == {torch.bfloat16}
    tensors = attach(model.layers, new_adapter(model.layers, seed=1), train=True)
    examples = load_examples(make_job().training_file, model.encoder, context=model.context, param="")
    rows = pack(examples.items[:2], most_tokens=640)
    accumulate_gradients(model, rows)
    assert {tensor.dtype for tensor in tensors} == {torch.float32}
    assert {tensor.grad.dtype for tensor in tensors} == {torch.float32}
    assert model.logits(model.hidden(rows[0].ids, rows[0].positions)[0]).dtype is torch.float32
    assert model.packs


def test_a_small_adapter_is_not_rounded_away() -> None:
    """In bfloat16 an adapter counts in full where it changes less than the last digit of a layer's output."""
    random = torch.Generator().manual_seed(5)
    base = torch.nn.Linear(256, 512, bias=False).requires_grad_(False)
    base.weight.copy_(torch.randn(512, 256, generator=random) / 16)
    layer = LoraLinear(base.bfloat16())
    layer.a, layer.b = torch.randn(16, 256, generator=random) / 16, torch.zeros(512, 16)
    x = torch.randn(64, 256, generator=random).bfloat16()
    without = layer(x).float()
    layer.b = torch.randn(512, 16, generator=random) * 1e-4
    share = layer.scale * x.float() @ layer.a.t() @ layer.b.t()

    def counted(y: torch.Tensor) -> float:
        return float(((y.float() - without) * share).sum() / share.square().sum())

    assert counted(without.bfloat16() + share.bfloat16()) < 0.5
    assert counted(layer(x)) == pytest.approx(1, abs=0.2)


def test_losses_in_bfloat16_follow_those_in_float32(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the end of a training that learns, every loss is within 2 per cent."""
    full, half = Recorder(), Recorder()
    train(make_job("full", n_epochs=8, learning_rate_multiplier=2), full)
    monkeypatch.setenv("FTRUN_DTYPE", "bfloat16")
    train(make_job("half", n_epochs=8, learning_rate_multiplier=2), half)
    assert full.losses[-1] < 0.8 * full.losses[0]
    assert half.losses == pytest.approx(full.losses, rel=0.02)
    assert half.losses != full.losses


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT's own use of what Transformers is to drop
def test_the_first_losses_are_those_of_a_plain_loop(make_job: MakeJob) -> None:
    """In float32 the first ten are those of Transformers' own model and loss with PEFT's adapter."""
    pytest.importorskip("peft")
    spec = importlib.util.spec_from_file_location("losses", ROOT / "benchmarks" / "losses.py")
    assert spec is not None and spec.loader is not None
    losses = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(losses)
    job = make_job(n_epochs=4, valid=False)
    plain, ours = losses.plain_losses(job, 10), losses.our_losses(job, 10)
    assert len(ours) == 10 and ours[-1] < 0.95 * ours[0]
    assert ours == pytest.approx(plain, abs=1e-4)


def killed_and_resumed(engine: Callable[..., Engine], model: Path, file: Path) -> Iterator[Any]:
    """Yield an engine's job that began in bfloat16, was killed, and ended under FTRUN_DTYPE=float32."""
    first = engine(FTRUN_DTYPE="bfloat16", OMP_NUM_THREADS="1")
    with first.client() as client:
        job = client.fine_tuning.jobs.create(
            model=str(model),
            training_file=client.files.create(file=file, purpose="fine-tune").id,
            seed=7,
            hyperparameters={"n_epochs": 10, "batch_size": 4, "learning_rate_multiplier": 6},
        )
        wait_until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "running")
        first.end(signal.SIGKILL)
    os.kill(job_pid(first.home, job.id), signal.SIGKILL)
    second = engine(FTRUN_DTYPE="float32", OMP_NUM_THREADS="1")
    with second.client() as client:
        yield finish(client, job.id), messages(client, job.id)


def test_a_killed_job_ends_in_the_format_in_which_it_began(
    own_engine: Callable[..., Engine], tmp_path: Path, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After kill -9 of job and engine, and with another setting, the result is bfloat16's, bit by bit."""
    reference = make_job("whole", n_epochs=10, valid=False)
    [(job, told)] = killed_and_resumed(own_engine, Path(reference.model), reference.training_file)
    assert job.status == "succeeded", job.error
    assert job.model_extra["dtype"] == "bfloat16"
    assert sum("bfloat16, in which this training began" in message for message in told) == 1
    monkeypatch.setenv("FTRUN_DTYPE", "bfloat16")
    whole = train(reference, Recorder()).model_folder
    [resumed] = (tmp_path / "engine").rglob(f"{whole.name}/{ADAPTER}")
    assert resumed.read_bytes() == (whole / ADAPTER).read_bytes()
    assert json.loads((whole / "adapter_config.json").read_text())["peft_type"] == "LORA"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_rerun_is_the_same_in_either_format(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, dtype: NumberFormat
) -> None:
    """The same seed gives the same adapter; so does a training that goes on in the format it began in."""
    one = train(replace(make_job("one"), dtype=dtype), Recorder()).model_folder
    monkeypatch.setenv("FTRUN_DTYPE", dtype)
    two = train(make_job("two"), Recorder()).model_folder
    assert (one / ADAPTER).read_bytes() == (two / ADAPTER).read_bytes()
