"""Models of many architectures, tiny and random: each answers as Transformers generates, and is trained."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.local.conftest import Recorder, finish, question, save_model
from ftrun.engine.backends import TrainingJob
from ftrun.engine.inference.batch import TorchChat
from ftrun.engine.models.base import load_model
from ftrun.engine.torch_backend import train
from ftrun.errors import UserError

pytestmark = pytest.mark.local

ALL = bool(os.environ.get("FTRUN_TEST_ALL"))
ENDS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2, "initializer_range": 0.3}
SIZE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    **ENDS,
}
GROUPED = {**SIZE, "num_key_value_heads": 2, "head_dim": 16}
SLIDING = {**GROUPED, "sliding_window": 8}
GPT2 = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256, **ENDS}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "gemma3_text": {**SLIDING, "layer_types": ["sliding_attention", "full_attention"]},
    "gpt_neox": SIZE,
    "granite": {**GROUPED, "logits_scaling": 8.0, "embedding_multiplier": 12.0},
    "mistral": SLIDING,
    "phi": SIZE,
    "qwen3": GROUPED,
}
MORE: dict[str, dict[str, Any]] = {  # in `make test-all`
    "cohere": {**GROUPED, "logit_scale": 0.5},
    "exaone4": SLIDING,
    "falcon": SIZE,
    "gemma": GROUPED,
    "gemma2": {**SLIDING, "layer_types": ["sliding_attention", "full_attention"]},
    "glm4": GROUPED,
    "gpt_oss": {**SLIDING, "num_local_experts": 4, "num_experts_per_tok": 2},
    "lfm2": {**GROUPED, "layer_types": ["conv", "full_attention"]},
    "mixtral": {**GROUPED, "num_local_experts": 4},
    "olmo2": GROUPED,
    "phi3": GROUPED,
    "qwen2": GROUPED,
    "qwen3_5_text": {**GROUPED, "layer_types": ["linear_attention", "full_attention"]},
    "qwen3_moe": {**GROUPED, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64},
    "smollm3": GROUPED,
    "stablelm": GROUPED,
    "starcoder2": GROUPED,
}


def make(name: str, sizes: dict[str, Any], tiny_folder: Path, folder: Path) -> str:
    """Save a random model of an architecture with the tiny model's tokenizer, and return its folder."""
    from transformers import AutoConfig, AutoTokenizer

    torch.manual_seed(0)
    vocabulary = len(AutoTokenizer.from_pretrained(tiny_folder))
    config = AutoConfig.for_model(name, vocab_size=vocabulary, **sizes)
    return str(save_model(config, tiny_folder, folder / name))


@pytest.mark.parametrize("name", [*ARCHITECTURES, *(MORE if ALL else ())])
def test_an_architecture_answers_and_learns(
    name: str, tiny_folder: Path, tmp_path: Path, make_job: Callable[..., TrainingJob]
) -> None:
    """Greedy answers are those of Transformers, training lowers the loss, and the tuned model answers."""
    folder = make(name, (ARCHITECTURES | MORE)[name], tiny_folder, tmp_path)
    model = load_model(folder)
    asked = question("base", "猫は何と鳴く？")
    prompt = torch.tensor([model.encoder.prompt(asked.messages)])
    expected = model.causal.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False
    )[0, prompt.shape[1] :]
    chat, told = TorchChat(model), Recorder()
    assert finish(chat, asked)["base"].text == model.tokenizer.decode(expected, skip_special_tokens=True)
    tuned = train(replace(make_job(n_epochs=4), model=folder), told).model_folder
    assert told.losses[-1] < told.losses[0]
    assert finish(chat, replace(asked, id="tuned", adapter=tuned))["tuned"].error is None


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("gpt2", GPT2),  # its layers are not linear layers of PyTorch
        (
            "mamba",
            {"hidden_size": 64, "num_hidden_layers": 2, "state_size": 8, **ENDS},
        ),  # reads weights itself
    ],
)
def test_an_architecture_without_place_for_an_adapter_is_refused(
    name: str, sizes: dict[str, Any], tiny_folder: Path, tmp_path: Path
) -> None:
    """A model whose layers an adapter can't be put beside is refused when it is loaded, by its name."""
    folder = make(name, sizes, tiny_folder, tmp_path)
    with pytest.raises(UserError) as caught:
        load_model(folder)
    assert caught.value.code == "unsupported_architecture" and folder in str(caught.value)
