"""Requests to a model: to reword one row, or to continue a few rows.

The instruction is a template; the rows are the user's message, as data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ftrun.augment.row_texts import RowTexts
from ftrun.augment.seeds import Seed
from ftrun.experiment.model import Augment, Experiment, Template
from ftrun.files import digest

REQUEST_VERSION = 1  # raise it instead of changing what the key is made of
SHOWN = 4  # rows shown in a request for new cases
KANA = re.compile(r"[\u3040-\u30ff]")
Message = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedModel:
    """The model to ask: the target's name, the model as its server calls it, and the server's identity."""

    target: str
    model: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call: its messages and sampling, the rows it shows, and how many rows it asks for.

    `key` finds its answer again, `prompt` is the digest of its instruction's template.
    """

    key: str
    prompt: str
    messages: tuple[Message, ...]
    sampling: Mapping[str, Any]
    seeds: tuple[Seed, ...]
    number: int


def seeds_needed(augment: Augment) -> int:
    """Return how many rows are needed to ask for `max_rows` new ones."""
    requests = -(-augment.max_rows // augment.per_row)
    return requests if augment.kind == "paraphrase" else requests * SHOWN


def requests(
    experiment: Experiment, row_texts: RowTexts, seeds: Sequence[Seed], asked: AskedModel
) -> list[Request]:
    """Return the requests; the same rows and configuration give the same ones."""
    augment = experiment.data.augment
    template = augment.prompt or _default(augment.kind, seeds)
    left, made = augment.max_rows, []
    for index, shown in enumerate(_shown(augment, seeds)):
        number = min(augment.per_row, left)
        left -= number
        messages = _messages(experiment, template, row_texts, shown, number)
        # each has its own seed: two requests that show the same rows should differ
        sampling = {"seed": (augment.seed + index) % 2**31, **augment.sampling}
        made.append(_request(template, messages, sampling, shown, number, asked))
    return made


def _request(
    template: Template,
    messages: tuple[Message, ...],
    sampling: Mapping[str, Any],
    shown: tuple[Seed, ...],
    number: int,
    asked: AskedModel,
) -> Request:
    body = {"model": asked.model, "origin": asked.origin, "messages": messages, "sampling": sampling}
    return Request(
        key=digest({"version": REQUEST_VERSION, **body}),
        prompt=digest(template.text)[:16],
        messages=messages,
        sampling=sampling,
        seeds=shown,
        number=number,
    )


def _shown(augment: Augment, seeds: Sequence[Seed]) -> Iterator[tuple[Seed, ...]]:
    count = -(-augment.max_rows // augment.per_row)
    if augment.kind == "paraphrase":
        yield from ((seed,) for seed in seeds[:count])
        return
    for index in range(count if seeds else 0):
        start = index * SHOWN
        around = [seeds[(start + step) % len(seeds)] for step in range(min(SHOWN, len(seeds)))]
        yield tuple(around)


def _messages(
    experiment: Experiment, template: Template, row_texts: RowTexts, shown: tuple[Seed, ...], number: int
) -> tuple[Message, ...]:
    from ftrun.experiment.templates.rendering import render_alone  # imports jinja2

    names: dict[str, Any] = {**experiment.prompt.vars, "number": number}
    if experiment.data.augment.kind == "paraphrase":
        fields = shown[0].fields
        asked = fields[row_texts.question]
        answer = "\n".join(fields[name] for name in row_texts.answers)
        names |= {"question": asked, "answer": answer, "row": shown[0].values}
    else:
        asked = "\n".join(json.dumps(seed.fields, ensure_ascii=False) for seed in shown)
        names |= {"rows": [dict(seed.fields) for seed in shown]}
    instruction = render_alone(experiment, template, "data.augment.prompt", names)
    return {"role": "system", "content": instruction}, {"role": "user", "content": asked}


def _default(kind: str, seeds: Sequence[Seed]) -> Template:
    japanese = any(KANA.search(text) for seed in seeds for text in seed.fields.values())
    name = f"{kind}.{'ja' if japanese else 'en'}.j2"
    text = (files("ftrun.augment") / "prompts" / name).read_text(encoding="utf-8")
    return Template(text=text.strip())
