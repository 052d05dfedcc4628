"""Comparing trained models: their settings, what training found, their answers to the same questions. Reads
their archives; asks and writes nothing, and judges all answers to a question by the same expectation.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ftrun.evaluation.answers import Message, Record
from ftrun.evaluation.cache import ANSWERS, read_records
from ftrun.evaluation.fit import Fit, explain
from ftrun.evaluation.metrics import parse_metrics
from ftrun.evaluation.pairs import paired
from ftrun.evaluation.scores import score
from ftrun.paid.history import METRICS
from ftrun.protocol.spec import SYSTEM_ROLES
from ftrun.report.comparison import (
    Comparison,
    EntryFacts,
    PairFacts,
    letter,
    settings,
)
from ftrun.report.verdict import REHEARSAL
from ftrun.report.words import counted
from ftrun.runner.trained_models import TrainedModel
from ftrun.scoring.expect import judge

HASHES = ("training data", "validation data")
HASH_SHOWN = 12  # characters
Key = tuple[str, str]  # of a question: its id, and what was asked, without the system prompt
Answers = Mapping[Key, Record]


def compare(entries: Sequence[TrainedModel]) -> Comparison:
    """Return the comparison of two or more models, each with the first."""
    answers = [_answers(entry) for entry in entries]
    shared, notes = _shared(answers)
    judged, ruled = _judged_alike(shared)
    shown = [
        [record for record in judged if record.candidate == letter(index)] for index in range(len(entries))
    ]
    values = [_settings(entry, one) for entry, one in zip(entries, answers, strict=True)]
    found = settings(values)
    differing = {one.name for one in found if one.differs}
    one_system = "system prompt" not in differing
    return Comparison(
        entries=tuple(_entry(index, entry, shown[index]) for index, entry in enumerate(entries)),
        settings=found,
        answers=tuple(judged if one_system else map(_shown_without_system, judged)),
        pairs=tuple(_pairs(shown)),
        notes=tuple(
            dict.fromkeys(
                (
                    *(note for entry in entries for note in entry.session.notes),
                    *_training_notes(entries, differing),
                    *notes,
                    *ruled,
                )
            )
        ),
    )


def _answers(entry: TrainedModel) -> Answers:
    """Return the model's archived answers, the present one for each question."""
    model, found = entry.facts["fine_tuned_model"], dict[Key, Record]()
    for record in read_records(entry.folder / ANSWERS):
        if record.candidate == "tuned" and record.model == model:
            found.setdefault(_key(record), record)  # earlier answers come last
    return found


def _key(record: Record) -> Key:
    return record.prompt_id, json.dumps(_without_system(record), sort_keys=True)


def _without_system(record: Record) -> list[Message]:
    return [message for message in record.messages if message.get("role") not in SYSTEM_ROLES]


def _shown_without_system(record: Record) -> Record:
    return dataclasses.replace(record, messages=tuple(_without_system(record)))


def _shared(answers: Sequence[Answers]) -> tuple[list[dict[str, Record]], list[str]]:
    """Return the questions that two or more answered, by letter, and notes about the others."""
    order = dict.fromkeys(key for one in answers for key in one)
    asked = [{letter(i): one[key] for i, one in enumerate(answers) if key in one} for key in order]
    shared = [one for one in asked if len(one) > 1]
    alone = len(asked) - len(shared)
    notes = [f"{counted(alone, 'question')} that only one of them answered: left out"] if alone else []
    notes += [
        f"{letter(index)} has no archived answers: its evaluation did not finish"
        for index, one in enumerate(answers)
        if not one
    ]
    return _with_ids(shared), notes


def _with_ids(shared: Sequence[dict[str, Record]]) -> list[dict[str, Record]]:
    """Give different questions of one id different ids."""
    times: dict[str, int] = {}
    renamed = []
    for one in shared:
        name = next(iter(one.values())).prompt_id
        times[name] = times.get(name, 0) + 1
        shown = name if times[name] == 1 else f"{name} ({times[name]})"
        renamed.append({who: dataclasses.replace(record, prompt_id=shown) for who, record in one.items()})
    return renamed


def _judged_alike(shared: Iterable[Mapping[str, Record]]) -> tuple[list[Record], list[str]]:
    """Return the answers with their letter as candidate, those to one question judged by one expectation."""
    records, ruled = [], []
    for one in shared:
        expected = [record.expect for record in one.values()]
        ruler = next((expect for expect in expected if expect), None)
        if any(expect != ruler for expect in expected):
            ruled.append(next(iter(one.values())).prompt_id)
            one = {name: _judged(record, ruler) for name, record in one.items()}
        recall = any(record.recall for record in one.values())
        records += [
            dataclasses.replace(record, candidate=name, recall=recall) for name, record in one.items()
        ]
    notes = [f"expectations differ, so the first one was used for all: {', '.join(ruled)}"] if ruled else []
    if any(record.recall for record in records):
        notes.append("questions marked recall are in the training data of one of them")
    return records, notes


def _judged(record: Record, expect: Mapping[str, Any] | None) -> Record:
    verdict = judge(expect, record.answer)
    return dataclasses.replace(record, expect=expect, passed=verdict.passed, failures=tuple(verdict.failures))


def _pairs(shown: Sequence[Sequence[Record]]) -> Iterator[PairFacts]:
    first = {record.prompt_id: record.passed for record in shown[0]}
    for index, records in enumerate(shown[1:], start=1):
        both = [
            (record.passed, other)
            for record in records
            if record.passed is not None and (other := first.get(record.prompt_id)) is not None
        ]
        if both:
            yield PairFacts(letter=letter(index), paired=paired(both))


def _entry(index: int, entry: TrainedModel, records: Sequence[Record]) -> EntryFacts:
    experiment, facts = entry.session.experiment, entry.facts
    start, end = facts["created_at"], facts["finished_at"]
    fit = _fit(entry)
    name = letter(index)
    return EntryFacts(
        **{key: facts[key] for key in ("spec_key", "job_id", "fine_tuned_model", "status", "usd")},
        letter=name,
        entry=entry.name,
        experiment=experiment.name,
        target=experiment.target.name,
        provider=experiment.target.provider,
        created_at=start,
        seconds=end - start if start is not None and end is not None else None,
        trained_tokens=facts["trained_tokens"],
        free=experiment.target.provider == "local",
        train_loss=fit.train_loss if fit else None,
        valid_loss=fit.valid_loss if fit else None,
        fit=fit.sentence if fit else None,
        score=score(records).candidates.get(name),
    )


def _fit(entry: TrainedModel) -> Fit | None:
    """Return what the curve says; nothing for a rehearsal, whose curve is made up."""
    try:
        rows = parse_metrics((entry.folder / METRICS).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return explain(rows) if rows and not _is_rehearsal(entry) else None


def _is_rehearsal(entry: TrainedModel) -> bool:
    target = entry.session.experiment.target
    return target.provider == "local" and entry.facts["spec"].get("model", target.model) == REHEARSAL


def _settings(entry: TrainedModel, answers: Answers) -> dict[str, str | None]:
    """Return the configuration as people read it; `auto` with the value that was used."""
    spec = dict(entry.facts["spec"])
    used, asked = entry.facts["hyperparameters"], spec.pop("hyperparameters", {})
    spec.pop("spec version", None)
    values = {name: value for name, value in spec.items() if name not in HASHES}
    values |= {name: _used(asked.get(name), used.get(name)) for name in dict.fromkeys((*asked, *used))}
    values |= {"training examples": entry.facts["examples"]}
    values |= {name: str(spec[name])[:HASH_SHOWN] for name in HASHES if spec.get(name)}
    systems = [
        one["content"]
        for record in answers.values()
        for one in record.messages
        if one["role"] in SYSTEM_ROLES
    ]
    values |= {"system prompt": systems[0] if systems else None}
    return {name: _text(value) for name, value in values.items()}


def _used(asked: Any, used: Any) -> Any:
    if asked is None or used is None or asked == used:
        return used if asked is None else asked
    return f"{asked} ({used})"


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _training_notes(entries: Sequence[TrainedModel], differing: set[str]) -> Iterator[str]:
    made_up = [letter(index) for index, entry in enumerate(entries) if _is_rehearsal(entry)]
    if made_up:
        was = "is a rehearsal" if len(made_up) == 1 else "are rehearsals"
        yield f"{', '.join(made_up)} {was}: nothing was trained, and the answers are made up"
    apart = sorted(differing & {"model", "training data", "validation data"})
    if apart and len(made_up) < len(entries):
        yield f"losses can't be compared: different {' and '.join(apart)}"
