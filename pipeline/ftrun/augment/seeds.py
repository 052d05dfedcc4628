"""Seed rows: rows of the current training split in a seeded order, from which more rows are made."""

from __future__ import annotations

import hashlib
import heapq
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun import data
from ftrun.augment.known_questions import KnownQuestions
from ftrun.augment.row_texts import Fields, RowTexts
from ftrun.data.pipeline.generated import source_rows
from ftrun.data.quality.pii import masked_kinds, redacted
from ftrun.data.types import SOURCES, Row, read_origin, row_digest
from ftrun.experiment.model import Experiment
from ftrun.files import real
from ftrun.protocol.spec import CHAT_KEYS, SPLITS
from ftrun.protocol.training_rows import asked_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A training row: its place, its digest, its values and its texts."""

    file: str
    line: int
    digest: str
    values: Mapping[str, Any]
    fields: Fields


def training_seeds(
    experiment: Experiment, row_texts: RowTexts, most: int
) -> tuple[list[Seed], KnownQuestions]:
    """Return at most `most` rows of the training split in a seeded order, and every known question.

    Held-out rows and eval prompts are among the questions and never among the seeds; neither are generated
    rows. DataError where the data have errors.
    """
    questions = KnownQuestions()
    for prompt in experiment.evaluation.prompts:
        questions.know_asked(prompt.messages or ({"role": "user", "content": prompt.user},))
    with tempfile.TemporaryDirectory() as name:
        folder = real(name)
        data.prepare(experiment, folder)
        for example in _examples(folder):
            questions.know_asked(asked_of(example).get("messages", ()))
        trained = _training_places(folder)
    seeds = _seeds(experiment, row_texts, trained, masked_kinds(experiment.data.pii))
    chosen = heapq.nsmallest(most, ((_rank(experiment, one), one.digest, one) for one in seeds), key=_first)
    return [one for _, _, one in chosen], questions


def _first(entry: tuple[bytes, str, Seed]) -> tuple[bytes, str, str, int]:
    return (*entry[:2], entry[2].file, entry[2].line)


def _rank(experiment: Experiment, seed: Seed) -> bytes:
    key = str(experiment.data.augment.seed).encode()
    return hashlib.blake2b(seed.digest.encode(), key=key, digest_size=8).digest()


def _examples(folder: Path) -> Iterator[dict[str, Any]]:
    for path in (folder / f"{role}.jsonl" for role in SPLITS):
        if path.exists():
            with path.open("rb") as lines:
                yield from map(json.loads, lines)


def _training_places(folder: Path) -> set[tuple[str, int]]:
    with (folder / SOURCES).open("rb") as file:
        origin, places = read_origin(file)
        return {(origin.files[index], line) for role, index, line in places if role == "train"}


def _seeds(
    experiment: Experiment, row_texts: RowTexts, trained: set[tuple[str, int]], masked: tuple[str, ...]
) -> Iterator[Seed]:
    for file, row in source_rows(experiment):
        if row.mark is None and (file, row.line) in trained:
            values = _own(row, masked)
            if fields := row_texts.fields_of(values):
                digest = row_digest(row.values)
                yield Seed(file=file, line=row.line, digest=digest, values=values, fields=fields)


def _own(row: Row, masked: tuple[str, ...]) -> dict[str, Any]:
    """Return the values to show and to keep: masked as in training; of a conversation its messages alone."""
    columns = CHAT_KEYS if row.lines else tuple(row.values)  # a conversation's columns are those of its turns
    return {name: _masked(row.values[name], masked) for name in columns if name in row.values}


def _masked(value: Any, kinds: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return redacted(value, kinds) if kinds else value
    if isinstance(value, Mapping):
        return {key: _masked(one, kinds) for key, one in value.items()}
    return [_masked(one, kinds) for one in value] if isinstance(value, list) else value
