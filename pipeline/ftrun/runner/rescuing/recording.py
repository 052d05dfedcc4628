"""Writing what was answered: the answers, the questions and the manifest, never less than before.

Answers that are there stay as they are, whatever is asked now. Where a question was asked otherwise before
(its text or the sampling changed), the older one gets a longer id. A file that a person changed, or that is
damaged, is left alone: the answers, which the run has all, are written under another name.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ftrun
from ftrun.evaluation.answers import Record, Request
from ftrun.evaluation.rescued_files import FOLDER, REPLACES, RescuedFiles, all_of, belong_to
from ftrun.experiment.evaluation import BASE, TUNED
from ftrun.experiment.model import EvalPrompt, Experiment
from ftrun.files import canonical_json, digest, make_folder, write_atomic
from ftrun.redaction import hide
from ftrun.runner.rescuing.questions import entry_of
from ftrun.targets.refusals import FILTERED

Line = dict[str, Any]
LEFT_OUT = ("passed", "failures", "recall", "scores")  # what is said of an answer only where it is scored


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose answers are recorded: the tuned model of an experiment, `key` its spec key or, where it was
    trained elsewhere, a hash of its name. `facts` go into the manifest.
    """

    experiment: Experiment
    model: str
    key: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def owner(self) -> dict[str, str]:
        """Return by what a manifest is recognized as this model's."""
        return {"name": self.experiment.name, "target": self.experiment.target.name, "model": self.model}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFiles:
    """What is in the files now. `counts` are answers by candidate, `changed` is a file that was left alone;
    `unwritable` questions have answers, and no entry in the file of questions.
    """

    files: RescuedFiles
    sha256: str
    date: str
    counts: Mapping[str, int]
    filtered: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    written: bool = False
    changed: RescuedFiles | None = None
    unwritable: int = 0
    missing: int = 0


def place_for(subject: Subject) -> tuple[RescuedFiles, RescuedFiles | None]:
    """Return the files to write to, and those of this model that were changed and are left alone, if any."""
    experiment = subject.experiment
    there = list(all_of(experiment.file, name=experiment.name, target=experiment.target.name))
    ours = [one for one in there if belong_to(one, **subject.owner)]
    intact = next((one for one in ours if one.intact), None)
    # where the manifest is lost or damaged nobody knows whose they are
    left = [one for one in there if (one in ours and not one.intact) or (one.exist and not one.facts())]
    return intact or next(one for one in _names(subject) if not one.exist), next(iter(left), None)


def _names(subject: Subject) -> Iterator[RescuedFiles]:
    """Yield the names that this model's answers may have, without an end."""
    experiment = subject.experiment
    stem = f"{experiment.name}-{experiment.target.name}"
    stems = [stem, f"{stem}-{subject.key[:8]}"]
    more = (f"{stem}-{subject.key[:8]}-{number}" for number in itertools.count(2))
    for one in itertools.chain(stems, more):
        yield RescuedFiles.named(experiment.file.parent / FOLDER, one)


def record(
    subject: Subject,
    prompts: Sequence[EvalPrompt],
    origins: Mapping[str, str],
    answered: Sequence[tuple[Request, Record]],
    *,
    missing: int,
) -> RecordedFiles | None:
    """Write what was answered next to what is recorded already; None if there is nothing to write. Nothing is
    written where nothing changed.
    """
    files, changed = place_for(subject)
    before, questions_before = _lines_in(files.answers), _lines_in(files.questions)
    now = [_line(request, one, origins) for request, one in answered]
    older, renamed = _renamed(before, now)
    known = {_identity(one) for one in older}
    lines = [*older, *(one for one in now if _identity(one) not in known)]
    if not lines:
        return None
    entries = [(one, entry_of(one, origins.get(one.id, ""))) for one in prompts]
    answered_now = {line["prompt_id"] for line in now}
    asked = [entry for one, entry in entries if entry is not None and one.id in answered_now]
    questions = _questions(questions_before, asked, renamed)
    answers_bytes, questions_bytes = _bytes(lines), _bytes(questions)
    manifest = _manifest(subject, files, lines, answers_bytes, questions_bytes, missing)
    written = _write(files, manifest, answers_bytes, questions_bytes)
    facts = files.facts()
    return RecordedFiles(
        files=files,
        sha256=str(facts["sha256"]),
        date=str(facts["date"]),
        counts=facts["answers"],
        **_special(lines),
        written=written,
        changed=changed,
        unwritable=sum(entry is None for _, entry in entries),
        missing=missing,
    )


def recorded_answers(subject: Subject) -> list[Record]:
    """Return the recorded answers, unless a person changed them; lines of another kind are left out."""
    files, _ = place_for(subject)
    if not belong_to(files, **subject.owner):
        return []
    return [record for line in _lines_in(files.answers) if (record := _record_of(line)) is not None]


def _record_of(line: Line) -> Record | None:
    names = {one.name for one in fields(Record)}
    try:
        return Record.from_dict(
            {"passed": None, **{name: one for name, one in line.items() if name in names}}
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _line(request: Request, record: Record, origins: Mapping[str, str]) -> Line:
    """Return the line of an answer: as in answers.jsonl, with how it was asked."""
    values = {name: one for name, one in record.as_dict().items() if name not in LEFT_OUT}
    origin = origins.get(record.prompt_id)
    return {
        **values,
        "repeat": record.repeat,
        "sampling": dict(request.sampling),
        "refusal": record.refusal,
        "finish_reason": record.finish_reason,
        "system_fingerprint": record.system_fingerprint,
        "at": record.at,
        **({"from": origin} if origin else {}),
    }


def _identity(line: Line) -> tuple[Any, ...]:
    return line.get("candidate"), line.get("prompt_id"), line.get("repeat", 0)


def _renamed(before: Sequence[Line], now: Sequence[Line]) -> tuple[list[Line], dict[str, str]]:
    """Return the lines of before, and the new ids of questions that were asked otherwise then: another
    request has their id now.
    """
    keys = {_identity(line): line.get("cache_key") for line in now}
    taken = {str(line.get("prompt_id")) for line in (*before, *now)}
    found, renamed, ids = list[Line](), dict[tuple[str, str], str](), dict[str, str]()
    for line in before:
        if keys.get(_identity(line), line.get("cache_key")) == line.get("cache_key"):
            found.append(line)
            continue
        own, asked = str(line.get("prompt_id")), _asked(line)
        if (own, asked) not in renamed:
            names = (
                f"{own[:52]}-{asked[:4]}{f'-{number}' if number else ''}" for number in itertools.count()
            )
            renamed[own, asked] = ids[own] = next(name for name in names if name not in taken)
            taken.add(ids[own])
        found.append({**line, "prompt_id": renamed[own, asked]})
    return found, ids


def _asked(line: Line) -> str:
    """Return a hash of how a line's question was asked, whoever answered."""
    sampling = line.get("sampling")
    kept = {name: one for name, one in (sampling or {}).items() if name != "seed"}
    return hashlib.sha256(canonical_json([line.get("messages"), kept])).hexdigest()


def _questions(before: Sequence[Line], asked: Sequence[Line], renamed: Mapping[str, str]) -> list[Line]:
    """Return the questions of before, those with another id now under that one, and those that were asked
    now.
    """
    now, found = {one["id"]: one for one in asked}, list[Line]()
    for one in before:
        own = str(one.get("id"))
        if own in renamed:
            found.append({**one, "id": renamed[own]})
        else:
            found.append(now.pop(own, one))  # what is expected of an answer may have changed
    return [*found, *now.values()]


def _special(lines: Sequence[Line]) -> dict[str, tuple[str, ...]]:
    """Return the questions of which an answer was withheld, refused, empty, or cut at the longest length."""
    filtered = [one for one in lines if one.get("refusal") == FILTERED]
    refused = [one for one in lines if one.get("refusal") not in (None, FILTERED)]
    empty = [one for one in lines if not str(one["answer"]).strip() and not one.get("tool_calls")]
    empty = [one for one in empty if one.get("refusal") is None]
    cut = [one for one in lines if one.get("finish_reason") == "length"]
    groups = {"filtered": filtered, "refused": refused, "empty": empty, "cut": cut}
    return {name: tuple(dict.fromkeys(str(one["prompt_id"]) for one in of)) for name, of in groups.items()}


def _manifest(
    subject: Subject,
    files: RescuedFiles,
    lines: Sequence[Line],
    answers: bytes,
    questions: bytes,
    missing: int,
) -> Line:
    experiment, counts = subject.experiment, dict[str, int]()
    for line in lines:
        counts[str(line.get("candidate"))] = counts.get(str(line.get("candidate")), 0) + 1
    return {
        "file": files.answers.name,
        "sha256": hashlib.sha256(answers).hexdigest(),
        "questions": files.questions.name,
        "questions_sha256": hashlib.sha256(questions).hexdigest(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "experiment": experiment.name,
        "target": experiment.target.name,
        "model": subject.model,
        "base": experiment.target.model,
        **subject.facts,
        "answers": {TUNED: 0, BASE: 0, **counts},
        "missing": missing,
        "sampling": dict(experiment.evaluation.sampling),
        "samples": experiment.evaluation.repeat,
        **_special(lines),
        "ftrun": ftrun.__version__,
    }


def _write(files: RescuedFiles, manifest: Line, answers: bytes, questions: bytes) -> bool:
    """Write what changed, and return whether anything did. The manifest comes first, with the checksums of
    before: where a kill leaves the others unwritten, they are still as it says.
    """
    facts = dict(files.facts())
    same = all(facts.get(name) == manifest[name] for name in ("sha256", "questions_sha256", "missing"))
    if same and REPLACES not in facts and files.answers.exists() and files.questions.exists():
        return False
    make_folder(files.answers.parent)
    before = {name: facts[name] for name in ("sha256", "questions_sha256") if name in facts}
    write_atomic(files.manifest, _pretty({**manifest, **({REPLACES: before} if before else {})}))
    write_atomic(files.questions, questions)
    write_atomic(files.answers, answers)
    if before:
        write_atomic(files.manifest, _pretty(manifest))
    return True


def _pretty(manifest: Mapping[str, Any]) -> bytes:
    return hide(json.dumps(manifest, ensure_ascii=False, indent=2)).encode() + b"\n"


def _bytes(lines: Sequence[Line]) -> bytes:
    return "".join(hide(json.dumps(line, ensure_ascii=False)) + "\n" for line in lines).encode()


def _lines_in(path: Path) -> list[Line]:
    """Return the lines of a file that was found to be as it was recorded."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]


def key_of_name(model: str) -> str:
    """Return the key of a model that no job of the state made."""
    return digest({"model": model})
