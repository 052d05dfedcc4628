"""A base model in memory: layers that take adapters, tokenizer and chat template, device.

The forward pass has two parts: `hidden` returns the states of the last layer, and `logits` turns only those
that are needed into scores over the vocabulary, which is a large part of a small model's work.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ftrun.engine.backends import NumberFormat, Rejected
from ftrun.engine.models.attention import packed_examples, use_grouped_attention
from ftrun.engine.models.catalogue import find_model
from ftrun.engine.models.chat_template import ChatEncoder
from ftrun.engine.models.lora import LoraLinear, wrap_linear_layers
from ftrun.engine.models.number_format import number_format
from ftrun.engine.models.weights import model_folder, to_stderr
from ftrun.errors import FtrunError, UserError

UNKNOWN_CONTEXT = 2048  # tokens, if neither the catalogue nor the config has the model's limit
LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
# relative: what two orders of summation may differ by
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 2e-2}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A base model ready to train and to answer; `context` is its limit in tokens."""

    name: str
    causal: Any
    layers: dict[str, LoraLinear]
    tokenizer: Any
    encoder: ChatEncoder
    context: int
    device: torch.device
    dtype: torch.dtype  # of the base model; adapters are float32
    packs: bool  # whether several examples may share a row

    @property
    def vocabulary(self) -> int:
        """Return how many tokens have a score; the tokenizer may know fewer."""
        return int(self.causal.get_output_embeddings().weight.shape[0])

    def hidden(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Return the last states, (1, tokens, width), of rows as `examples.pack` makes them."""
        return self.run(positions, input_ids=ids.to(self.device))

    def run(self, positions: Tensor, **inputs: Tensor) -> Tensor:
        """Run the body on a row of packed examples, its `input_ids` or `inputs_embeds`."""
        output = self.causal.base_model(
            **inputs,
            position_ids=positions.to(self.device),
            use_cache=False,
            **packed_examples(self.causal, positions),
        )
        states: Tensor = output.last_hidden_state
        return states

    def logits(self, states: Tensor) -> Tensor:
        """Return float32 scores, (…, vocabulary), of states, (…, width)."""
        return _scores(self.causal, states)


def _scores(causal: Any, states: Tensor) -> Tensor:
    config = causal.config
    scores: Tensor = causal.get_output_embeddings()(states).float()
    if (scale := getattr(config, "logit_scale", None)) is not None:  # Cohere
        scores = scores * scale
    if (divisor := getattr(config, "logits_scaling", None)) is not None:  # Granite
        scores = scores / divisor
    cap = getattr(config, "final_logit_softcapping", None)
    return scores if cap is None else torch.tanh(scores / cap) * cap


def load_model(
    name: str, announce: Callable[[str], None] = to_stderr, *, begun: NumberFormat | None = None
) -> LoadedModel:
    """Load a base model in this machine's number format, or in that of a training that has `begun`; create
    its folder first if needed.

    Raises FtrunError if it is not available or can't be loaded or trained here, UsageError for an
    unknown FTRUN_DTYPE.
    """
    from transformers import AutoTokenizer

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    chosen = number_format(cuda=device.type == "cuda", begun=begun)
    folder = model_folder(name, announce)
    announce(chosen.reason)
    dtype = torch.bfloat16 if chosen.format == "bfloat16" else torch.float32
    with load_errors(name, folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
        causal = load_causal(folder, dtype)
        causal.to(device).eval()
        use_grouped_attention(causal)
        packs = _keeps_examples_apart(causal)
        return LoadedModel(
            name=name,
            causal=causal,
            layers=_wrap(causal, name),
            tokenizer=tokenizer,
            encoder=ChatEncoder(tokenizer),
            context=_context(name, causal.config),
            device=device,
            dtype=dtype,
            packs=packs,
        )


@contextlib.contextmanager
def load_errors(name: str, folder: Path) -> Iterator[None]:
    """Turn any error about the folder's files into one about the model: libraries raise all kinds."""
    try:
        yield
    except (FtrunError, Rejected):
        raise
    except Exception as error:
        raise UserError(
            f"{name} can't be loaded from {folder}: {error or type(error).__name__}",
            code="model_not_loadable",
            hint="Its files are damaged or incomplete, or it is not a causal language model that Transformers"
            " can load without extra code. Download or save it again, or choose another model.",
        ) from error


def load_causal(folder: Path, dtype: torch.dtype) -> Any:
    """Return the causal language model of Transformers in `folder`, on the processor."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, use_safetensors=True, **LOCAL)


def _context(name: str, config: Any) -> int:
    entry = find_model(name)
    if entry is not None:
        return entry.context
    return int(getattr(config, "max_position_embeddings", None) or UNKNOWN_CONTEXT)


def _wrap(causal: Any, name: str) -> dict[str, LoraLinear]:
    """Wrap the linear layers, and return them by name.

    Raises UserError if there are none, if the model doesn't just call them (adapters would be passed by), or
    if scores are not just head times states (`LoadedModel.logits` would be wrong).
    """
    ids = torch.arange(8, device=causal.device)[None]
    with torch.inference_mode():
        whole = causal(input_ids=ids, use_cache=False).logits.float()
        layers = wrap_linear_layers(causal)
        try:
            split = _scores(causal, causal.base_model(input_ids=ids, use_cache=False).last_hidden_state)
            supported = bool(layers) and is_same(whole, split, causal.dtype)
        except AttributeError:  # the weights of a layer, which is wrapped
            supported = False
    if not supported:
        raise UserError(f"The architecture of {name} is not supported.", code="unsupported_architecture")
    return layers


def _keeps_examples_apart(causal: Any) -> bool:
    """Return whether restarted positions keep attention within an example in this architecture."""
    one, two = torch.arange(1, 9, device=causal.device), torch.arange(11, 17, device=causal.device)
    ids = torch.cat([one, two])[None]
    positions = torch.cat([torch.arange(8), torch.arange(6)])[None].to(causal.device)
    with torch.inference_mode():
        row = causal.base_model(input_ids=ids, position_ids=positions, use_cache=False)
        own = causal.base_model(input_ids=two[None], use_cache=False)
    return is_same(row.last_hidden_state[0, 8:], own.last_hidden_state[0], causal.dtype)


def is_same(one: Tensor, other: Tensor, dtype: torch.dtype) -> bool:
    """Return whether two results of a model in `dtype` are the same function of the same inputs."""
    tolerance = TOLERANCE[dtype]
    scale = float(other.abs().max())
    return bool(torch.allclose(one.float(), other.float(), rtol=tolerance, atol=tolerance * scale))
