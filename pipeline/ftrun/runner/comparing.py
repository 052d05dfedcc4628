"""Comparing trained models: their settings, what training found, their answers to the same questions. Reads
their archives; asks and writes nothing, and judges all answers to a question by the same expectation.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftrun.evaluation.answer_files import ANSWERS, read_records
from ftrun.evaluation.answers import Message, Record
from ftrun.evaluation.learning_curve.fit import Fit, explain
from ftrun.evaluation.learning_curve.metric_rows import parse_metrics
from ftrun.evaluation.results import Comparison as Compared
from ftrun.evaluation.results import Scores
from ftrun.paid.history import METRICS
from ftrun.protocol.spec import SYSTEM_ROLES
from ftrun.report.comparison import Comparison, EntryFacts, entry_score, letter, pairs_of, settings
from ftrun.report.words import counted
from ftrun.runner.trained_models import TrainedModel
from ftrun.scoring.scorers import scorers_for
from ftrun.scoring.types import Sample

TUNED = "tuned"
HASHES = ("training data", "validation data")
HASH_SHOWN = 12  # characters
Key = tuple[str, str, int]  # of a question: its id, what was asked without the system prompt, which answer
Answers = Mapping[Key, Record]


def compare(entries: Sequence[TrainedModel]) -> Comparison:
    """Return the comparison of two or more models, each with the first."""
    answers = [_answers(entry) for entry in entries]
    shared, notes = _shared(answers)
    judged, ruled = _with_one_ruler(shared)
    scores, judged, scored = _scored(entries, judged)
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
        pairs=tuple(pairs_of(shown, scores)),
        scores=scores,
        notes=tuple(
            dict.fromkeys(
                (
                    *(note for entry in entries for note in entry.session.notes),
                    *_training_notes(entries, differing),
                    *notes,
                    *ruled,
                    *scored,
                )
            )
        ),
    )


def _answers(entry: TrainedModel) -> Answers:
    """Return the model's archived answers, the present one for each question.

    Where it answered as several candidates (with retrieval, say), those as the plain tuned model count, else
    those of the candidate that comes first in the experiment file.
    """
    model, found = entry.facts["fine_tuned_model"], dict[Key, Record]()
    records = [one for one in read_records(entry.folder / ANSWERS) if one.model == model]
    order = (TUNED, *entry.session.experiment.evaluation.models, *(one.candidate for one in records))
    names = {one.candidate for one in records}
    candidate = next((name for name in order if name in names), TUNED)
    for record in records:
        if record.candidate == candidate:
            found.setdefault(_key(record), record)  # earlier answers come last
    return found


def _key(record: Record) -> Key:
    return record.prompt_id, json.dumps(_without_system(record), sort_keys=True), record.repeat


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
    asked: dict[str, list[str]] = {}
    renamed = []
    for one in shared:
        name, question, _ = _key(next(iter(one.values())))
        known = asked.setdefault(name, [])
        known += [question] if question not in known else []
        number = known.index(question) + 1
        shown = name if number == 1 else f"{name} ({number})"
        renamed.append({who: dataclasses.replace(record, prompt_id=shown) for who, record in one.items()})
    return renamed


def _with_one_ruler(shared: Iterable[Mapping[str, Record]]) -> tuple[list[Record], list[str]]:
    """Return the answers with their letter as candidate; those to one question have one expectation and one
    reference, and are of one set.
    """
    records, ruled = [], []
    for one in shared:
        asked = list(one.values())
        ruler = next((record.expect for record in asked if record.expect), None)
        if any(record.expect != ruler for record in asked):
            ruled.append(asked[0].prompt_id)
        reference = next((record.reference for record in asked if record.reference is not None), None)
        recall = any(record.recall or record.set == "recall" for record in asked)
        alike: dict[str, Any] = {"expect": ruler, "reference": reference, "recall": recall}
        alike["set"] = "recall" if recall else asked[0].set
        records += [dataclasses.replace(record, candidate=name, **alike) for name, record in one.items()]
    names = ", ".join(dict.fromkeys(ruled))
    notes = [f"expectations differ, so the first one was used for all: {names}"] if ruled else []
    if any(record.recall for record in records):
        notes.append("questions marked recall are in the training data of one of them")
    return records, notes


def _scored(
    entries: Sequence[TrainedModel], records: list[Record]
) -> tuple[Scores, list[Record], Sequence[str]]:
    """Return the scores by letter and the answers as scored, all by the scorers of the first file that has
    any; each comparison is of another model with A.
    """
    from ftrun.evaluation.evaluate import evaluate

    files = [entry.session.experiment for entry in entries]
    ruling = next((one for one in files if one.evaluation.scorers), files[0]).evaluation
    samples = list({record.prompt_id: _sample(record) for record in records}.values())
    if not samples:
        return Scores(), records, ()
    letters = [letter(index) for index in range(len(entries))]
    scorers = scorers_for(ruling.scorers, samples)
    metrics = {metric.name for scorer in scorers for metric in scorer.metrics}
    scores, scored = evaluate(
        experiment=" ".join(dict.fromkeys(one.name for one in files)),
        target=" ".join(dict.fromkeys(one.target.name for one in files)),
        samples=samples,
        records=records,
        candidates=letters,
        models=dict(zip(letters, (str(entry.facts["fine_tuned_model"]) for entry in entries), strict=True)),
        scorers=scorers,
        metric=ruling.metric if ruling.metric in metrics else None,
        gates=(),
    )
    found = tuple(_turned(one) if one.a == letters[0] else one for one in scores.comparisons)
    differ = any(
        (one.evaluation.scorers, one.evaluation.metric) != (ruling.scorers, ruling.metric) for one in files
    )
    notes = ["the experiments score answers differently; those of the first one with scorers are used"]
    shown = dataclasses.replace(scores, comparisons=found, verdict=None, warnings=())
    return shown, scored, (*scores.warnings, *(notes if differ else ()))


def _sample(record: Record) -> Sample:
    return Sample(
        id=record.prompt_id,
        turns=tuple(_without_system(record)),
        reference=record.reference,
        expect=record.expect,
        tags=record.tags,
        set=record.set,
        cluster=record.cluster,
    )


def _turned(one: Compared) -> Compared:
    """Return the same comparison with its sides exchanged."""
    flips = one.flips and dataclasses.replace(one.flips, fixed=one.flips.broken, broken=one.flips.fixed)
    return dataclasses.replace(
        one,
        a=one.b,
        b=one.a,
        difference=_negative(one.difference),
        low=_negative(one.high),
        high=_negative(one.low),
        flips=flips,
    )


def _negative(value: float | None) -> float | None:
    return None if value is None else 0.0 - value


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
        score=entry_score(records),
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
    return replace(target, model=entry.facts["spec"].get("model", target.model)).rehearses


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
