"""What is exported: a base model's folder and an adapter, read into memory and merged in float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.engine.extras import require_backend
from ftrun.engine.models.weights import Announce, model_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A tuned model: the name of its base model, the folder of that, and the folder of the adapter."""

    base: str
    folder: Path
    adapter: Path

    @property
    def hub_revision(self) -> str | None:
        """Return the commit of a base model of the Hugging Face Hub, None for others."""
        return self.folder.name if self.folder.parent.name == "snapshots" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """How chats become tokens: the tokenizer, its chat template, and the ids that end an answer."""

    tokenizer: Any
    template: str
    end_ids: Sequence[int]


def find_source(base: str, adapter: Path, announce: Announce) -> Source:
    """Return the source of an export; the base model is downloaded if it is not here.

    Raises UserError if the base model no longer exists, FtrunError if it is not available or if packages
    are missing.
    """
    require_backend(base)
    return Source(base=base, folder=model_folder(base, announce), adapter=adapter)


def load_chat(source: Source) -> Chat:
    """Read the base model's tokenizer."""
    from transformers import AutoTokenizer

    from ftrun.engine.models.base import load_errors
    from ftrun.engine.models.chat_template import ChatEncoder

    with load_errors(source.base, source.folder):
        tokenizer = AutoTokenizer.from_pretrained(source.folder, local_files_only=True)
        end_ids = sorted(ChatEncoder(tokenizer).end_ids)
        return Chat(tokenizer=tokenizer, template=tokenizer.get_chat_template(), end_ids=end_ids)


def load_merged(source: Source) -> Any:
    """Return the causal language model of Transformers with the adapter added to its weights, in float32."""
    import torch

    from ftrun.engine.models.base import load_causal, load_errors
    from ftrun.engine.models.lora import merge_adapter

    with load_errors(source.base, source.folder):
        causal = load_causal(source.folder, torch.float32)
        merge_adapter(causal, source.adapter)
    return causal


def generation_config(chat: Chat) -> Any:
    """Return how the model answers as the engine does: greedily, up to the end of a turn."""
    from transformers import GenerationConfig

    tokenizer = chat.tokenizer
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=list(chat.end_ids),
        pad_token_id=pad,
        do_sample=False,
    )
