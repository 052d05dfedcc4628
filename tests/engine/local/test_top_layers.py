"""ftrun.engine.training.top_layers: the frozen layers run once, and nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.local.conftest import Recorder, chat, finish, question, save_model
from ftrun.engine.backends import Paused, TrainingJob, TrainingResult
from ftrun.engine.models.base import load_model
from ftrun.engine.models.lora import CONFIG, WEIGHTS, attach, layers_from, load_adapter, new_adapter
from ftrun.engine.torch_backend import open_chat, train
from ftrun.engine.training import top_layers
from ftrun.engine.training.examples import pack
from ftrun.engine.training.loss import accumulate_gradients
from ftrun.errors import UserError

pytestmark = pytest.mark.local

MakeJob = Callable[..., TrainingJob]
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
}
CHATS = [chat("猫は？", "にゃあ。"), chat("犬は何と鳴く？", "わんわん、わん。"), chat("a", "b", system=None)]


@pytest.fixture
def gemma(tiny_folder: Path, tmp_path: Path) -> Path:
    """Return the folder of a Gemma 3 whose layers differ: three see 8 tokens back, one sees all."""
    from transformers import Gemma3TextConfig

    torch.manual_seed(0)
    kinds = ["sliding_attention", "full_attention", "sliding_attention", "sliding_attention"]
    config = Gemma3TextConfig(vocab_size=300, head_dim=8, sliding_window=8, layer_types=kinds, **SMALL)
    return save_model(config, tiny_folder, tmp_path / "gemma")


@pytest.mark.parametrize("kind", ["llama", "gemma"])
def test_loss_and_gradients_are_those_of_the_whole_model(
    kind: str, tiny_folder: Path, gemma: Path, tmp_path: Path
) -> None:
    """Run in two parts, with kept states and without, the top layers learn what they would learn in one."""
    model = load_model(str(gemma if kind == "gemma" else tiny_folder))
    upper = layers_from(model.layers, len(model.causal.base_model.layers) - 1)
    adapter = {name: (a, torch.full_like(b, 0.02)) for name, (a, b) in new_adapter(upper, seed=1).items()}
    parameters = attach(model.layers, adapter, train=True)
    rows = pack([model.encoder.examples(messages)[0] for messages in CHATS], most_tokens=1000)
    expected = accumulate_gradients(model, rows)
    gradients = [parameter.grad.clone() for parameter in parameters]
    network = top_layers.TopLayers(model, 1, tmp_path)
    for _ in range(2):
        for parameter in parameters:
            parameter.grad = None
        assert accumulate_gradients(network, rows).loss == pytest.approx(expected.loss, rel=1e-5)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-6)


def files_of(result: TrainingResult) -> bytes:
    """Return the adapter's weights."""
    return (result.model_folder / WEIGHTS).read_bytes()


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT's own use of what Transformers is to drop
def test_only_the_top_layers_learn_and_peft_loads_them(make_job: MakeJob, tiny_folder: Path) -> None:
    """The loss falls, the adapter names its layers, and PEFT and the engine give equal logits with it."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    report = Recorder()
    folder = train(make_job(n_epochs=10, top_layers=1), report).model_folder
    assert report.losses[-1] < 0.8 * report.losses[0]
    assert report.hyperparameters["top_layers"] == 1
    config = json.loads((folder / CONFIG).read_text())
    assert (config["layers_pattern"], config["layers_to_transform"]) == ("layers", [1])
    model = load_model(str(tiny_folder))
    adapter = load_adapter(folder, model.layers)
    assert len(adapter) == 7 and all(".layers.1." in name for name in adapter)
    attach(model.layers, adapter)
    theirs = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_folder), folder)
    ids = torch.tensor([[5, 9, 20, 31, 7, 44]])
    with torch.no_grad():
        ours = model.logits(model.hidden(ids, torch.arange(6)[None]))
        assert torch.allclose(theirs(ids).logits, ours, atol=1e-4)


@pytest.mark.parametrize("kept", [(0, 2**20), (0, 0), (9000, 9000)], ids=["file", "nowhere", "both"])
def test_where_states_are_kept_changes_nothing(
    make_job: MakeJob, kept: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In memory, in a file or computed again: the adapter is the same, bit by bit; no file is left."""
    first = train(make_job("first", top_layers=1), Recorder())
    monkeypatch.setattr(top_layers, "IN_MEMORY", kept[0])
    monkeypatch.setattr(top_layers, "IN_FILE", kept[1])
    job = make_job("second", top_layers=1)
    assert files_of(train(job, Recorder())) == files_of(first)
    assert [path.name for path in job.work.iterdir()] == ["checkpoints"]


def test_a_paused_training_ends_as_an_uninterrupted_one(make_job: MakeJob) -> None:
    """A new process computes the states again, and the adapter is the same, bit by bit."""
    with pytest.raises(Paused):
        train(make_job("paused", top_layers=1), Recorder(pause_at=5))
    resumed = train(make_job("paused", top_layers=1), Recorder())
    assert files_of(resumed) == files_of(train(make_job("whole", top_layers=1), Recorder()))


def test_as_many_as_there_are_is_plain_training(make_job: MakeJob) -> None:
    """`top_layers` of all layers or more trains all of them."""
    plain, more = train(make_job("plain"), Recorder()), train(make_job("more", top_layers=9), Recorder())
    assert files_of(more) == files_of(plain)


def test_the_engine_answers_with_and_without_it_in_one_batch(make_job: MakeJob, tiny_folder: Path) -> None:
    """Rows with all layers, with the top ones and with no adapter give what each gives alone."""
    some, every = (
        train(make_job(name, n_epochs=10, **more), Recorder()).model_folder
        for name, more in (("some", {"top_layers": 1}), ("every", {}))
    )
    questions = [
        question(str(adapter), "猫3は何と鳴く？", adapter=adapter) for adapter in (some, every, None)
    ]
    model = open_chat(str(tiny_folder))
    together = {name: "".join(told.pieces) for name, told in finish(model, *questions).items()}
    alone = {one.id: "".join(finish(model, one)[one.id].pieces) for one in questions}
    assert together == alone and len(set(alone.values())) == 3


def test_layers_below_keep_what_an_earlier_training_gave_them(make_job: MakeJob, tiny_folder: Path) -> None:
    """Continuing from a model whose layers were all trained changes only the top ones."""
    first = train(make_job("first"), Recorder())
    job = replace(make_job("second", top_layers=1), adapter=first.model_folder)
    second = train(job, Recorder())
    layers = load_model(str(tiny_folder)).layers
    before, after = (load_adapter(one.model_folder, layers) for one in (first, second))
    changed = {name for name in layers if not torch.equal(before[name][1], after[name][1])}
    assert changed == set(layers_from(layers, 1))


def test_an_architecture_without_layers_to_leave_out(tiny_folder: Path, tmp_path: Path) -> None:
    """Where layers can't be replaced, the error names the key to remove."""
    from transformers import OPTConfig

    config = OPTConfig(vocab_size=300, hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4)
    model = load_model(str(save_model(config, tiny_folder, tmp_path / "opt")))
    with pytest.raises(UserError, match="can't be trained alone") as caught:
        top_layers.TopLayers(model, 1, tmp_path)
    assert "top_layers" in str(caught.value.problem.hint)
