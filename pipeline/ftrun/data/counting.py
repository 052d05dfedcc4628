"""Owns the pass over prepared files that counts messages, tokens and leaks, with places in the sources."""

from __future__ import annotations

import contextlib
import itertools
import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftrun.data.distribution import Bar, distribution, histogram
from ftrun.data.gather import example_digest
from ftrun.data.prepared import ROLES, SOURCES, Origin, read_origin
from ftrun.data.structure import has_system
from ftrun.data.tokens import CountTexts, count_examples
from ftrun.errors import DataError
from ftrun.experiment.places import shown_path

BATCH = 1000  # examples counted at a time
Place = tuple[str, int]  # file and line


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStatistics:
    """The numbers of one prepared file. `billed_tokens` has each example capped at the model's limit."""

    examples: int
    messages: dict[str, float]
    tokens: dict[str, float]
    assistant_tokens: dict[str, float]
    missing_system: int
    missing_user: int
    over_limit: int
    billed_tokens: int
    token_histogram: tuple[Bar, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers that `check --json` shows."""
        shown = (
            "examples",
            "messages",
            "tokens",
            "assistant_tokens",
            "missing_system",
            "missing_user",
            "over_limit",
        )
        return {name: getattr(self, name) for name in shown}


@dataclass(slots=True, kw_only=True)
class Counted:
    """What the pass found. `leaks`: for validation and test how many stand in training, and the first."""

    project: Path
    origin: Origin
    files: dict[str, FileStatistics | None]
    first_over_limit: dict[str, Place]
    leaks: dict[str, tuple[int, Place]]

    def examples(self, role: str) -> int:
        """Return the number of examples of a role."""
        statistics = self.files[role]
        return statistics.examples if statistics else 0

    def place(self, file: int, line: int) -> Place:
        """Return the place in a source as messages show it."""
        return shown_path(self.project / self.origin.files[file]), line


@dataclass(slots=True)
class _Tally:
    """The numbers of one file while it is read."""

    messages: array[int] = field(default_factory=lambda: array("L"))
    tokens: array[int] = field(default_factory=lambda: array("Q"))
    assistant: array[int] = field(default_factory=lambda: array("Q"))
    missing_system: int = 0
    missing_user: int = 0
    over_limit: int = 0
    billed: int = 0
    first_over_limit: Place | None = None

    def statistics(self) -> FileStatistics:
        return FileStatistics(
            examples=len(self.tokens),
            messages=distribution(self.messages),
            tokens=distribution(self.tokens),
            assistant_tokens=distribution(self.assistant),
            missing_system=self.missing_system,
            missing_user=self.missing_user,
            over_limit=self.over_limit,
            billed_tokens=self.billed,
            token_histogram=histogram(self.tokens),
        )


def count_folder(folder: Path, project: Path, counter: CountTexts, limit: int) -> Counted:
    """Count the prepared files of `folder`; DataError if they are not there or damaged."""
    present = [role for role in ROLES if (folder / f"{role}.jsonl").is_file()]
    if "train" not in present:
        raise DataError(
            f"{folder} holds no prepared files", code="not_prepared", hint="Run `ftrun run CONFIG`."
        )
    counted = Counted(
        project=project, origin=_origin(folder), files=dict.fromkeys(ROLES), first_over_limit={}, leaks={}
    )
    trained: set[bytes] = set()
    for role in present:  # train first: the others are compared with it
        _count_file(counted, folder, role, counter, limit, trained if len(present) > 1 else None)
    return counted


def _count_file(
    counted: Counted, folder: Path, role: str, counter: CountTexts, limit: int, trained: set[bytes] | None
) -> None:
    tally = _Tally()
    leaks, first_leak = 0, None
    examples = zip(_examples(folder, role), _places(folder, role, counted), strict=False)
    while batch := list(itertools.islice(examples, BATCH)):
        _tally(tally, batch, counter, limit)
        for messages, place in batch if trained is not None else ():
            digest = example_digest(messages)
            if role == "train":
                trained.add(digest)  # type: ignore[union-attr]
            elif digest in trained:  # type: ignore[operator]
                leaks, first_leak = leaks + 1, first_leak or place
    counted.files[role] = tally.statistics()
    if tally.first_over_limit:
        counted.first_over_limit[role] = tally.first_over_limit
    if first_leak:
        counted.leaks[role] = (leaks, first_leak)


def _tally(
    tally: _Tally, batch: Sequence[tuple[list[dict[str, Any]], Place]], counter: CountTexts, limit: int
) -> None:
    counts = count_examples((messages for messages, _ in batch), counter)
    for (messages, place), tokens in zip(batch, counts, strict=True):
        tally.messages.append(len(messages))
        tally.tokens.append(tokens.total)
        tally.assistant.append(tokens.assistant)
        tally.billed += min(limit, tokens.total)
        tally.missing_system += not has_system(messages)
        tally.missing_user += not any(message["role"] == "user" for message in messages)
        if tokens.total > limit:
            tally.over_limit += 1
            tally.first_over_limit = tally.first_over_limit or place


def _examples(folder: Path, role: str) -> Iterator[list[dict[str, Any]]]:
    path = folder / f"{role}.jsonl"
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                messages: list[dict[str, Any]] = json.loads(line)["messages"]
                _ = [message["role"] for message in messages]
            except (ValueError, KeyError, TypeError) as error:
                message = "this line of a prepared file is damaged"
                hint = "Make the file anew: ftrun run CONFIG --force prepare"
                name = shown_path(path)
                raise DataError(message, code="damaged_file", hint=hint, file=name, line=number) from error
            yield messages


def _origin(folder: Path) -> Origin:
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError), (folder / SOURCES).open("rb") as file:
        return read_origin(file)[0]
    return Origin()  # without it places are those of the prepared files


def _places(folder: Path, role: str, counted: Counted) -> Iterator[Place]:
    """Yield the place of each example in its source; in the prepared file itself where that is not known."""
    number = 0
    files = [shown_path(counted.project / name) for name in counted.origin.files]
    damaged = (OSError, ValueError, TypeError, KeyError, IndexError)
    with contextlib.suppress(*damaged), (folder / SOURCES).open("rb") as file:
        for its_role, index, line in read_origin(file)[1]:
            if its_role == role:
                number += 1
                yield files[index], line
    path = shown_path(folder / f"{role}.jsonl")
    for line in itertools.count(number + 1):
        yield path, line
