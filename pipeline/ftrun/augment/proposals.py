"""Turning answers into entries for review; what is there already or no whole row is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ftrun.augment.entries import Entry, Origin, entry_id
from ftrun.augment.kept import Answered
from ftrun.augment.replies import cases, paraphrases
from ftrun.augment.requests import Asked, Request
from ftrun.augment.seeds import Seed
from ftrun.augment.shapes import Fields, Shape
from ftrun.augment.taken import Questions

KNOWN, NEARLY = "there already", "nearly there already"


def proposals(
    asked: Sequence[Request],
    answers: Mapping[str, Answered],
    *,
    shape: Shape,
    kind: str,
    who: Asked,
    questions: Questions,
    reviewed: Iterable[Entry],
) -> tuple[list[Entry], Counter[str]]:
    """Return the entries that the answers give, and how many rows were left out for which reason.

    `questions` are those that are there; `reviewed` those that were proposed before, whatever came of them.
    """
    known = {entry.id for entry in reviewed}
    for entry in reviewed:
        questions.know(entry.new.get(shape.question, ""))
    found: list[Entry] = []
    left_out: Counter[str] = Counter()
    for request in asked:
        answered = answers.get(request.key)
        if answered is None:
            continue
        rows, refused = _rows(request, answered, shape, kind)
        left_out += refused
        for new in rows:
            entry = _entry(request, answered, new, shape, kind, who)
            if entry.id in known:
                continue
            if questions.add(new[shape.question]):
                found.append(entry)
            else:
                left_out[KNOWN] += 1
    near = questions.near([entry.new[shape.question] for entry in found])
    left_out[NEARLY] += len(near)
    return [entry for index, entry in enumerate(found) if index not in near], +left_out


def _rows(request: Request, answered: Answered, shape: Shape, kind: str) -> tuple[list[Fields], Counter[str]]:
    longest = request.sampling.get("max_tokens")
    cut = isinstance(longest, int) and answered.usage.get("completion_tokens", 0) >= longest
    seed = request.seeds[0]
    if kind == "new":
        return cases(answered.text, request.number, tuple(seed.fields), cut=cut)
    wordings, refused = paraphrases(answered.text, request.number, cut=cut)
    return [{**seed.fields, shape.question: one} for one in wordings], refused


def _entry(request: Request, answered: Answered, new: Fields, shape: Shape, kind: str, who: Asked) -> Entry:
    seed = request.seeds[0]
    return Entry(
        id=entry_id(request.key, new),
        status="pending",
        kind=kind,
        old=seed.fields,
        new=new,
        rest=shape.rest_of(seed.values),
        origin=tuple(_origins(request.seeds)),
        made={
            "target": who.target,
            "model": who.model,
            "prompt": request.prompt,
            "request": request.key[:16],
            "time": answered.time,
            "run": answered.run,
        },
    )


def _origins(seeds: Iterable[Seed]) -> Iterator[Origin]:
    for seed in seeds:
        yield Origin(file=seed.file, line=seed.line, digest=seed.digest)
