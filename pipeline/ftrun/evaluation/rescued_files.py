"""The files of rescued answers: what `ftrun rescue` calls them, what its manifest says, and whether they are
still as they were recorded.

NAME-TARGET.jsonl has the answers, NAME-TARGET.questions.jsonl the questions as entries of `eval.prompts`, and
NAME-TARGET.json, the manifest, has their checksums, the date, and whose answers they are. They are in
`rescued/` next to the experiment file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ftrun.files import sha256_file

FOLDER = "rescued"
ANSWERS, QUESTIONS, MANIFEST = ".jsonl", ".questions.jsonl", ".json"
REPLACES = "replaces"  # the checksums of the files before, while new ones are being written


@dataclass(frozen=True, slots=True, kw_only=True)
class RescuedFiles:
    """The three files of one tuned model's answers."""

    answers: Path
    questions: Path
    manifest: Path

    @classmethod
    def named(cls, folder: Path, stem: str) -> RescuedFiles:
        """Return the files of that name."""
        answers, questions, manifest = (folder / f"{stem}{one}" for one in (ANSWERS, QUESTIONS, MANIFEST))
        return cls(answers=answers, questions=questions, manifest=manifest)

    @property
    def stem(self) -> str:
        """Return their name without endings."""
        return self.answers.name.removesuffix(ANSWERS)

    def facts(self) -> Mapping[str, Any]:
        """Return what the manifest says; nothing if there is none, or it can't be read."""
        return read_manifest(self.manifest)

    @property
    def exist(self) -> bool:
        """Return whether any of them is there."""
        return any(one.exists() for one in (self.answers, self.questions, self.manifest))

    @property
    def intact(self) -> bool:
        """Return whether both files are as they were recorded; one that is missing can be written again."""
        facts = self.facts()
        named = ((self.answers, "sha256"), (self.questions, "questions_sha256"))
        return bool(facts) and all(not one.exists() or _fits(one, facts, key) for one, key in named)


def rescued_of(file: Path, *, name: str, target: str, model: str) -> RescuedFiles | None:
    """Return the recorded answers of tuned model `model` of experiment `name` (in `file`) on `target`: those
    that are as they were recorded, else those that a person changed; None if there are none.
    """
    found = [
        one
        for one in all_of(file, name=name, target=target)
        if one.answers.is_file() and belong_to(one, name=name, target=target, model=model)
    ]
    return next((one for one in found if one.intact), found[0] if found else None)


def all_of(file: Path, *, name: str, target: str) -> Iterator[RescuedFiles]:
    """Yield the files that may hold answers of that experiment and target, of whatever model."""
    folder, stem = file.parent / FOLDER, f"{name}-{target}"
    yield RescuedFiles.named(folder, stem)
    for path in sorted(folder.glob(f"{stem}-*{MANIFEST}")):
        yield RescuedFiles.named(folder, path.name.removesuffix(MANIFEST))


def belong_to(files: RescuedFiles, *, name: str, target: str, model: str) -> bool:
    """Return whether the manifest says that the answers are this model's."""
    facts = files.facts()
    return (facts.get("experiment"), facts.get("target"), facts.get("model")) == (name, target, model)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedModel:
    """A tuned model with recorded answers: the file of them, and the day that the manifest names."""

    model: str
    day: str
    answers: Path


def recorded_models(configs: Path) -> Iterator[RecordedModel]:
    """Yield the tuned models whose answers are recorded next to the experiment files in a folder."""
    for path in filter(Path.is_file, sorted((configs / FOLDER).glob(f"*{MANIFEST}"))):
        files = RescuedFiles.named(path.parent, path.name.removesuffix(MANIFEST))
        facts = files.facts()
        try:
            day = date.fromisoformat(str(facts.get("date"))[:10]).isoformat()
        except ValueError:
            continue
        if isinstance(facts.get("model"), str) and files.answers.is_file():
            yield RecordedModel(model=facts["model"], day=day, answers=files.answers)


def read_manifest(path: Path) -> Mapping[str, Any]:
    """Return what a manifest says; nothing if it is missing or isn't one."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("sha256"), str) else {}


def manifest_of(answers: Path) -> Mapping[str, Any]:
    """Return what the manifest beside a file of answers says; nothing if there is none of this file."""
    if not answers.name.endswith(ANSWERS):
        return {}
    facts = read_manifest(answers.with_name(answers.name.removesuffix(ANSWERS) + MANIFEST))
    return facts if facts.get("file") == answers.name else {}


def is_changed(answers: Path) -> bool:
    """Return whether a file of answers has a manifest beside it and is not what was recorded."""
    facts = manifest_of(answers)
    return bool(facts) and not _fits(answers, facts, "sha256")


def _fits(path: Path, facts: Mapping[str, Any], key: str) -> bool:
    """Return whether a file is as the manifest says, or as it was before a write that was cut off."""
    before = facts.get(REPLACES)
    known = (facts.get(key), before.get(key) if isinstance(before, dict) else None)
    return sha256_file(path) in known
