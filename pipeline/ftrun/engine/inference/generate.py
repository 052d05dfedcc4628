"""Generate answers: token by token with a key-value cache, greedy or sampled, in whole characters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ftrun.engine.backends import Rejected, Sampling, Usage
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.models.lora import Adapter, attach, attach_merged, load_adapter, merge

MOST_ADAPTERS = 4  # kept in memory; reading one takes a fraction of a second
# up to this size the adapter is merged into a copy of the weights: that saves two small products per layer,
# a third to a half of a token's time. In larger models that hardly matters, but the copy does.
MERGE_PARAMETERS = 1_000_000_000
BROKEN = "\ufffd"  # how a tokenizer writes bytes that are not a whole character yet


class TorchChat:
    """A loaded base model that answers with any of its adapters; use it from one thread at a time."""

    def __init__(self, model: LoadedModel) -> None:
        """Answer with `model`."""
        self._model = model
        self._adapters: dict[Path, Adapter] = {}
        self._merged: tuple[Path, list[Tensor]] | None = None
        # in bfloat16 most of an adapter would be lost: it is smaller than the last digit of the weights
        self._merges = model.dtype is torch.float32 and (
            sum(layer.base.weight.numel() for layer in model.layers.values()) <= MERGE_PARAMETERS
        )

    def answer(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        adapter: Path | None,
        sampling: Sampling,
        usage: Usage,
    ) -> Iterator[str]:
        """Yield the answer in pieces of whole characters; Rejected if the prompt fills the context."""
        prompt = self._model.encoder.prompt(messages)
        usage.prompt_tokens = len(prompt)
        room = self._model.context - len(prompt)
        if room < 1:
            raise Rejected(
                f"This model's context is {self._model.context} tokens; the messages have {len(prompt)}.",
                code="context_length_exceeded",
                param="messages",
            )
        self._attach(adapter)
        tokens = _Generation(self._model, prompt, sampling, most=min(sampling.max_tokens, room))
        yield from _pieces(self._model.tokenizer, tokens, sampling.stop, usage)

    def _attach(self, folder: Path | None) -> None:
        """Make the model answer with the adapter in `folder`; switching to the base and back is free."""
        layers = self._model.layers
        if folder is None or not self._merges:
            attach(layers, self._adapter(folder) if folder else None)
            return
        if self._merged is None or self._merged[0] != folder:
            self._merged = None  # before the new copy is made, so that there is only one
            attach(layers, None)
            self._merged = folder, merge(layers, self._adapter(folder))
        attach_merged(layers, self._merged[1])

    def _adapter(self, folder: Path) -> Adapter:
        """Return an adapter, from memory if it was used recently."""
        adapter = self._adapters.pop(folder, None) or load_adapter(folder, self._model.layers)
        self._adapters[folder] = adapter  # the last entry is the most recently used
        if len(self._adapters) > MOST_ADAPTERS:
            self._adapters.pop(next(iter(self._adapters)))
        return adapter


class _Generation:
    """Iterate to generate tokens; `ended` is true once the model itself has ended its turn."""

    def __init__(self, model: LoadedModel, prompt: Sequence[int], sampling: Sampling, *, most: int) -> None:
        from transformers import DynamicCache

        self.ended = False
        self._model, self._sampling, self._most = model, sampling, most
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)
        self._cache = DynamicCache(config=model.causal.config)
        self._next = torch.tensor([prompt])

    def __iter__(self) -> Iterator[int]:
        for _ in range(self._most):
            token = self._draw()
            if token in self._model.encoder.end_ids:
                self.ended = True
                return
            yield token

    def _draw(self) -> int:
        # not around the loop of __iter__: the mode would stay on while the caller has the token
        with torch.inference_mode():
            output = self._model.causal.base_model(
                input_ids=self._next.to(self._model.device), cache=self._cache, use_cache=True
            )
            scores = self._model.logits(output.last_hidden_state[0, -1]).cpu()
        token = pick(scores, self._sampling, self._generator)
        self._next = torch.tensor([[token]])
        return token


def pick(scores: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Return the next token for float32 scores of shape (vocabulary,)."""
    if sampling.temperature == 0:
        return int(scores.argmax())
    shares = torch.softmax(scores / sampling.temperature, dim=-1)
    if sampling.top_p < 1:
        ordered, tokens = shares.sort(descending=True)
        # the smallest set that reaches top_p: the sum before a token decides, so the first always stays
        ordered[ordered.cumsum(-1) - ordered >= sampling.top_p] = 0
        shares = torch.zeros_like(shares).scatter_(0, tokens, ordered)
    return int(torch.multinomial(shares, 1, generator=generator))


def _pieces(tokenizer: Any, tokens: _Generation, stop: Sequence[str], usage: Usage) -> Iterator[str]:
    """Yield text once it is certain: only whole characters, and nothing that may become a stop sequence."""
    ids: list[int] = []
    shown = 0
    for token in tokens:
        ids.append(token)
        usage.completion_tokens = len(ids)
        text = tokenizer.decode(ids, skip_special_tokens=True)
        end = min((text.index(word) for word in stop if word in text), default=None)
        if end is not None:
            usage.finish_reason = "stop"
            if end > shown:
                yield text[shown:end]
            return
        safe = len(text.rstrip(BROKEN)) - _held_back(text.rstrip(BROKEN), stop)
        if safe > shown:
            yield text[shown:safe]
            shown = safe
    usage.finish_reason = "stop" if tokens.ended else "length"
    rest = tokenizer.decode(ids, skip_special_tokens=True)[shown:]
    if rest:
        yield rest


def _held_back(text: str, stop: Sequence[str]) -> int:
    """Return how many characters at the end of `text` may be the start of a stop sequence."""
    return max(
        (size for word in stop for size in range(1, len(word)) if text.endswith(word[:size])), default=0
    )
