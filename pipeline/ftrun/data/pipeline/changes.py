"""What changed between two preparations: examples by content, whatever their order and their files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ftrun.data.examples.digest import example_digest
from ftrun.data.pipeline.samples import PreparedExample, samples
from ftrun.files import canonical_json

Kind = Literal["added", "removed", "changed", "moved"]
KINDS: tuple[Kind, ...] = ("added", "removed", "changed", "moved")


class Change(NamedTuple):
    """An example that is new, gone, another than before, or in another split. `before`: as it was."""

    kind: Kind
    before: PreparedExample | None
    now: PreparedExample | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How many examples changed in which way, and the first of each kind."""

    counts: Mapping[str, int]
    unchanged: int
    first: tuple[Change, ...]


def changes(before: Path, now: Path, project: Path, most: int) -> Changes:
    """Compare the prepared files of two folders; `first` has at most `most` changes of each kind.

    A changed example is one whose question stayed, or that came from the same file and line.
    """
    old, new = _known(samples(before, project)), _known(samples(now, project))
    common = old.keys() & new.keys()
    moved = [digest for digest in new if digest in common and old[digest].split != new[digest].split]
    pairs = _pairs(old, new)
    taken = {*pairs.values()}
    found: dict[Kind, list[tuple[bytes | None, bytes | None]]] = {
        "added": [(None, digest) for digest in new if digest not in common and digest not in pairs],
        "removed": [(digest, None) for digest in old if digest not in common and digest not in taken],
        "changed": [(before_it, digest) for digest, before_it in pairs.items()],
        "moved": [(digest, digest) for digest in moved],
    }
    wanted = {kind: listed[:most] for kind, listed in found.items()}
    was = _read(before, project, {one for pairs in wanted.values() for one, _ in pairs})
    is_now = _read(now, project, {one for pairs in wanted.values() for _, one in pairs})
    return Changes(
        counts={kind: len(found[kind]) for kind in KINDS},
        unchanged=len(common) - len(moved),
        first=tuple(
            Change(kind, was.get(one), is_now.get(other)) for kind in KINDS for one, other in wanted[kind]
        ),
    )


class _Known(NamedTuple):
    """What is remembered of an example: its split, a hash of its question, a hash of its place."""

    split: str
    question: bytes
    place: bytes


def _known(found: Iterable[PreparedExample]) -> dict[bytes, _Known]:
    known: dict[bytes, _Known] = {}
    for sample in found:
        example = dict(sample.example)
        place = _hash(f"{sample.file}:{sample.line}".encode(errors="backslashreplace"))
        known.setdefault(example_digest(example), _Known(sample.split, _question(example), place))
    return known


def _question(example: Mapping[str, Any]) -> bytes:
    """Return the hash of everything before the last message, or of the input that two answers share."""
    messages = example.get("messages")
    asked = messages[:-1] if isinstance(messages, list) else example.get("input", example.get("prompt"))
    return _hash(canonical_json(asked))


def _pairs(old: Mapping[bytes, _Known], new: Mapping[bytes, _Known]) -> dict[bytes, bytes]:
    """Return, for new examples that an old one became, the old one: by question first, then by place."""
    pairs: dict[bytes, bytes] = {}
    for key in ("question", "place"):
        left = {digest: known for digest, known in old.items() if digest not in new}
        for taken in pairs.values():
            left.pop(taken, None)
        by_key = {getattr(known, key): digest for digest, known in reversed(left.items())}
        for digest, known in new.items():
            if digest not in old and digest not in pairs:
                found = by_key.pop(getattr(known, key), None)
                if found is not None:
                    pairs[digest] = found
    return pairs


def _read(folder: Path, project: Path, wanted: set[bytes | None]) -> dict[bytes | None, PreparedExample]:
    """Return the wanted examples by their digest."""
    return {digest: sample for digest, sample in _digested(folder, project) if digest in wanted}


def _digested(folder: Path, project: Path) -> Iterator[tuple[bytes, PreparedExample]]:
    for sample in samples(folder, project):
        yield example_digest(dict(sample.example)), sample


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=12).digest()
