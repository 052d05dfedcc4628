"""The general-ability set: questions that most models answer, to see what training made a model forget."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path

from ftrun.experiment.model import EvalPrompt

SHIPPED = Path(__file__).with_name("questions.jsonl")


def shipped_prompts(language: str | None) -> tuple[EvalPrompt, ...]:
    """Return the questions for data in `language` (ISO 639-1; None: unknown).

    Japanese data get the Japanese questions and the English ones, since training can make a model forget
    either; all others get the English ones.
    """
    wanted = languages(language)
    return tuple(one for of, one in shipped() if of in wanted)


def languages(language: str | None) -> tuple[str, ...]:
    """Return the languages of general questions and rows for data in `language`."""
    return ("ja", "en") if language == "ja" else ("en",)


@functools.cache
def shipped() -> tuple[tuple[str, EvalPrompt], ...]:
    """Return each question of the set that ships, with its language."""
    return tuple(_shipped())


def _shipped() -> Iterator[tuple[str, EvalPrompt]]:
    for line in SHIPPED.read_text("utf-8").splitlines():
        entry = json.loads(line)
        of = entry["language"]
        prompt = EvalPrompt(
            id=entry["id"], user=entry["user"], expect=entry["expect"], tags=(of, *entry["tags"])
        )
        yield of, prompt
