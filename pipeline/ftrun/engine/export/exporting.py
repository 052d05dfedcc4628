"""Export a tuned model: its files, its model card, what it needs to run, and a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import ftrun
from ftrun.engine.export.card import Facts, model_card
from ftrun.engine.export.folder import write_export
from ftrun.engine.export.formats import GGUF_FILE, WRITERS, Format
from ftrun.engine.export.gguf_vocabulary import adds_bos
from ftrun.engine.export.ollama import Messages, modelfile, turns_of
from ftrun.engine.export.source import Chat, Source, load_chat
from ftrun.engine.models.catalogue import find_model
from ftrun.engine.models.weights import terms_file
from ftrun.files import write_atomic


def export(source: Source, facts: Facts, kind: Format, folder: Path) -> Mapping[str, int]:
    """Write the model to `folder` and return the bytes of each file.

    UsageError if the folder has something else, or the format has no place for this model.
    """
    chat = load_chat(source)

    def write(place: Path) -> None:
        WRITERS[kind](source, chat, place)
        write_atomic(place / "README.md", model_card(facts, source, kind, version=ftrun.__version__))
        _write_terms(source, place)
        if kind == "gguf":
            write_atomic(place / "Modelfile", _modelfile(source, chat, facts))

    about = {"format": kind, "model": facts.model, "job_id": facts.job_id, "base": source.base}
    return write_export(folder, {**about, "ftrun": ftrun.__version__}, write)


def _write_terms(source: Source, place: Path) -> None:
    """Add the terms of a base model that has its own: whoever gets the export must get them."""
    base = find_model(source.base)
    if base is not None and base.terms is not None:
        terms = terms_file(base)
        write_atomic(place / f"TERMS{terms.suffix}", terms.read_bytes())


def _modelfile(source: Source, chat: Chat, facts: Facts) -> str:
    from transformers import AutoConfig

    tokenizer = chat.tokenizer
    # where a server adds the token for the beginning by itself, the template must not add it again
    begin = tokenizer.bos_token if adds_bos(tokenizer) else ""

    def render(messages: Messages, ask: bool) -> str:
        text: str = tokenizer.apply_chat_template([*messages], tokenize=False, add_generation_prompt=ask)
        return text.removeprefix(begin)

    config = AutoConfig.from_pretrained(source.folder, local_files_only=True)
    return modelfile(
        GGUF_FILE,
        turns=turns_of(render),
        system=facts.system,
        ends=tokenizer.convert_ids_to_tokens(list(chat.end_ids)),
        temperature=facts.sampling.get("temperature", 0),
        context=config.max_position_embeddings,
    )
