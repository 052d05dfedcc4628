"""The model card of an export, README.md: what the model is, what its licence is, and how to run it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.engine.export.formats import GGUF_FILE, Format
from ftrun.engine.export.source import Source
from ftrun.engine.models.catalogue import find_model

LIBRARIES: Mapping[Format, str] = {"adapter": "peft", "safetensors": "transformers", "gguf": "gguf"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a tuned model: its names, how it was trained, and how it did.

    `data` are SHA-256 hashes of the training files by what they are, `hyperparameters` those that were used,
    `verdict` the decision and its reasons, `system` the system prompt that it was asked with, `sampling` how.
    """

    name: str
    model: str
    job_id: str
    description: str | None = None
    method: str = "supervised"
    seed: int | None = None
    dtype: str | None = None
    finished_at: str | None = None
    examples: int | None = None
    trained_tokens: int | None = None
    data: Mapping[str, str]
    hyperparameters: Mapping[str, Any]
    verdict: Sequence[str] = ()
    system: str | None = None
    sampling: Mapping[str, Any]


def model_card(facts: Facts, source: Source, kind: Format, *, version: str) -> str:
    """Return README.md in English; `version` is ftrun's."""
    from jinja2 import Environment, StrictUndefined

    base = find_model(source.base)
    head = [{"role": "system", "content": facts.system}] if facts.system else []
    messages = [*head, {"role": "user", "content": "…"}]
    request = json.dumps(
        {"model": label(facts.name), "temperature": 0, "messages": messages}, ensure_ascii=False
    )
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701
    template = environment.from_string((Path(__file__).parent / "card.md.j2").read_text(encoding="utf-8"))
    return template.render(
        facts=facts,
        source=source,
        kind=kind,
        version=version,
        base=base,
        packages=", ".join(f"{one.name} {one.version}" for one in base.wheels) if base else "",
        library=LIBRARIES[kind],
        label=label(facts.name),
        gguf_file=GGUF_FILE,
        messages=json.dumps(messages, ensure_ascii=False, indent=4),  # Python, too: it has nothing but texts
        request=request.replace("'", "\\u0027"),  # it is in a shell's quotes
        block=_block,
    )


def label(name: str) -> str:
    """Return a name for the model that every server takes."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.") or "tuned"


def _block(language: str, text: str) -> str:
    """Return a code block whose fence is longer than any in the text."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
