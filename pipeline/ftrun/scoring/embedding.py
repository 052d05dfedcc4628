"""Similarity of meaning: the cosine of two texts' embeddings, by a local model (the extra `local`).

A model is a local folder or an id of the Hugging Face hub, with weights in safetensors; none of its code is
run. An embedding is the mean of the last layer over the text's tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from ftrun.errors import ConfigError
from ftrun.scoring.metrics import Mean
from ftrun.scoring.options import Options
from ftrun.scoring.types import Answer, Sample, Score

LONGEST = 8192  # tokens, where the model's tokenizer sets no limit


class Embedder:
    """A model that turns texts into vectors; loaded when it is first needed."""

    def __init__(self, model: str, revision: str | None = None) -> None:
        self.model, self.revision = model, revision
        self._vector = lru_cache(maxsize=20_000)(self._embedded)

    def similarity(self, one: str, other: str) -> float:
        """Return the cosine of two texts, between -1 and 1; 0 if one of them is empty."""
        if not one.strip() or not other.strip():
            return 0.0
        first, second = self._vector(one), self._vector(other)
        return sum(left * right for left, right in zip(first, second, strict=True))

    def load(self) -> None:
        """Load the model now. ConfigError if that fails."""
        _ = self._loaded

    def _embedded(self, text: str) -> Sequence[float]:
        import torch

        tokenizer, network, most = self._loaded
        given = tokenizer(text, return_tensors="pt", truncation=True, max_length=most)
        with torch.inference_mode():
            states = network(**given).last_hidden_state[0].float()
        mean = (states * given["attention_mask"][0, :, None]).sum(dim=0)
        return tuple((mean / mean.norm().clamp_min(1e-12)).tolist())

    @cached_property
    def _loaded(self) -> tuple[Any, Any, int]:
        from transformers import AutoModel, AutoTokenizer

        how = {"revision": self.revision} if self.revision else {}
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.model, trust_remote_code=False, **how)
            network = AutoModel.from_pretrained(
                self.model, use_safetensors=True, trust_remote_code=False, **how
            )
        except (OSError, ValueError, ImportError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConfigError(
                f"The embedding model {self.model} can't be loaded: {reason}",
                code="scorer",
                hint="Set a folder, or an id of the Hugging Face hub, with weights in safetensors.",
            ) from None
        positions = getattr(network.config, "max_position_embeddings", LONGEST)
        return tokenizer, network.eval(), min(tokenizer.model_max_length, positions, LONGEST)


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """How similar answer and reference are in meaning."""

    name: str
    metrics: tuple[Mean, ...]
    embedder: Embedder

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return the cosine; None without a reference."""
        if sample.reference is None:
            return None
        return Score(value=self.embedder.similarity(answer.text, sample.reference))


def embedder_of(options: Options) -> Embedder:
    """Return the embedder of the options `model` and `revision`, loaded."""
    options.require("torch", "transformers", "safetensors", extra="local")
    model = options.text("model")
    revision = options.take("revision")
    if revision is not None and not isinstance(revision, str):
        raise options.fault("revision", revision, "a text")
    folder = Path(model)
    if folder.is_absolute() and not folder.is_dir():
        raise options.error(f"The folder of the embedding model doesn't exist: {model}")
    embedder = Embedder(model, revision)
    if not options.checking:
        embedder.load()
    return embedder


def make_embedding(options: Options) -> Embedding:
    """Return the scorer `embedding`."""
    name = options.text("name", "embedding")
    return Embedding(name=name, metrics=(Mean(name=name),), embedder=embedder_of(options))
