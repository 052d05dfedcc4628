"""The three formats of an export, each written into a folder: adapter (PEFT), safetensors, GGUF."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from ftrun.engine.export.source import Chat, Source, generation_config, load_merged
from ftrun.engine.models.weights import written_errno
from ftrun.files import open_to_write, write_json

Format = Literal["adapter", "safetensors", "gguf"]
GGUF_FILE = "model.gguf"


def write_adapter(source: Source, chat: Chat, folder: Path) -> None:
    """Write the adapter in PEFT's format, with the tokenizer.

    It names its base model by its id on the hub, with the commit, or by the folder that it has here.
    """
    from ftrun.engine.models.lora import CONFIG, WEIGHTS

    with open_to_write(folder / WEIGHTS, "xb") as file:
        file.write((source.adapter / WEIGHTS).read_bytes())
    config = json.loads((source.adapter / CONFIG).read_text(encoding="utf-8"))
    revision = source.hub_revision
    base = str(source.folder) if revision is None else source.base
    write_json(folder / CONFIG, {**config, "base_model_name_or_path": base, "revision": revision})
    _write_chat(chat, folder)


def write_safetensors(source: Source, chat: Chat, folder: Path) -> None:
    """Write the merged model in float32 as Transformers stores models, with the tokenizer."""
    from safetensors import SafetensorError

    merged = load_merged(source)
    merged.generation_config = generation_config(chat)
    try:
        merged.save_pretrained(folder)
    except SafetensorError as error:
        number = written_errno(error)
        if number is None:
            raise
        raise OSError(number, os.strerror(number)) from error
    _write_chat(chat, folder)


def write_gguf(source: Source, chat: Chat, folder: Path) -> None:
    """Write the merged model in float32 as one GGUF file, with tokenizer and chat template.

    UsageError for an architecture or a tokenizer that is not supported.
    """
    from ftrun.engine.export.gguf_model import write_model

    write_model(folder / GGUF_FILE, load_merged(source), chat)


def _write_chat(chat: Chat, folder: Path) -> None:
    """Write tokenizer, chat template, and what ends an answer: a base model's own files may not know."""
    chat.tokenizer.save_pretrained(folder)
    generation_config(chat).save_pretrained(folder)


WRITERS: Mapping[Format, Callable[[Source, Chat, Path], None]] = {
    "adapter": write_adapter,
    "safetensors": write_safetensors,
    "gguf": write_gguf,
}
