"""What is asked: eval prompts, the held-out test split, training questions, the general-ability set.

Every sample has an id that stays when rows are added. Who is asked, and how, is decided elsewhere.
"""

from __future__ import annotations

import dataclasses
import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ftrun import data
from ftrun.data.general.questions import shipped_prompts
from ftrun.data.pipeline.own_rows import held_out_groups, own_lines, own_rows
from ftrun.data.quality.corpus import last_turn
from ftrun.data.readers.json_rows import json_value
from ftrun.errors import DataError
from ftrun.evaluation.asked.row_samples import Unusable, question_hash, row_sample, without_system
from ftrun.evaluation.asked.system_prompt import system_prompt
from ftrun.experiment.model import EvalPrompt, Experiment
from ftrun.experiment.places import place_of
from ftrun.files import damage_reported
from ftrun.langid.majority import main_language
from ftrun.scoring.types import Sample, SampleSet

SEED = 42  # of samples of rows where `data.split` has none
LOOKED_AT = 200  # rows whose language is looked at
SPARE = 20  # rows that are read beyond those asked for, since some can't be asked
FILES = ("train.jsonl", "test.jsonl", "sources.jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The samples, and what a person should know about those that are not there."""

    samples: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> Mapping[SampleSet, int]:
        """Return how many questions each set has, in their order; sets without any are not there."""
        return Counter(one.set for one in self.samples)


def questions_note(counts: Mapping[SampleSet, int]) -> str:
    """Return in words how many questions of each set a candidate is asked."""
    prompts, test, recall, general = (counts.get(one, 0) for one in get_args(SampleSet))
    return (
        f"questions for each candidate: eval prompts {prompts}, test split {test}, training data {recall}, "
        f"general {general}"
    )


def expected_counts(
    experiment: Experiment, *, recalled: int, train: int, test: int, language: str | None
) -> dict[SampleSet, int]:
    """Return how many questions each set will have at most, before the files are prepared: `train` and `test`
    are the numbers of their examples, `recalled` that of the eval prompts in the training data.
    """
    asked = experiment.evaluation
    rows = test if asked.test_set is True else min(test, int(asked.test_set))
    general = asked.general_prompts or shipped_prompts(language)
    return {
        "prompts": len(asked.prompts) - recalled,
        "test": rows,
        "recall": recalled + min(train, asked.recall_sample),
        "general": len(general) if asked.general else 0,
    }


def collect(experiment: Experiment, folder: Path) -> Collected:
    """Return everything that is asked, with notes; `folder` has the prepared files: a missing one gives none.
    The last result is kept, as several stages need it.

    UserError if the test split is asked for and there is none, or no row of it can be asked.
    """
    stamp = tuple(_stamp(folder / name) for name in FILES)
    for kept in tuple(_kept):  # which another thread may replace
        if kept[0] is experiment and kept[1:3] == (folder, stamp):
            return kept[3]
    found = _collect(experiment, folder)
    _kept[:] = [(experiment, folder, stamp, found)]
    return found


_kept: list[tuple[Experiment, Path, tuple[Any, ...], Collected]] = []


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


def _collect(experiment: Experiment, folder: Path) -> Collected:
    evaluation, notes = experiment.evaluation, list[str]()
    samples = [
        *_prompts(experiment, folder),
        *(_test(experiment, folder, notes) if evaluation.test_set else ()),
        *(_taught(experiment, folder, notes) if evaluation.recall_sample else ()),
        *_general(experiment, folder),
    ]
    return Collected(samples=tuple(with_own_ids(samples)), notes=tuple(notes))


def _prompts(experiment: Experiment, folder: Path) -> Iterator[Sample]:
    """Yield the samples of `eval.prompts`; those that the training data ask are recall."""
    prompts = experiment.evaluation.prompts
    if not prompts:
        return
    needed = any(one.messages is None and not one.own_system for one in prompts)
    system = system_prompt(experiment, folder) if needed else None
    with damage_reported(folder / "train.jsonl"):
        recalled = data.recalled(experiment, folder)
    for prompt in prompts:
        yield prompt_sample(prompt, system=system, of="recall" if prompt.id in recalled else "prompts")


def prompt_sample(prompt: EvalPrompt, *, system: str | None, of: SampleSet = "prompts") -> Sample:
    """Return the sample of a prompt; `system` is for those that bring neither their own nor messages."""
    own = prompt.own_system or prompt.messages is not None
    turns = tuple(dict(one) for one in prompt.messages or ({"role": "user", "content": prompt.user or ""},))
    first, others = without_system(turns)
    used = first if first is not None else prompt.system if own else system
    return Sample(
        id=prompt.id,
        turns=tuple(others),
        system=used,
        own_system=own,
        reference=prompt.reference,
        expect=prompt.expect,
        tools=prompt.tools,
        tags=prompt.tags,
        set=of,
        cluster=prompt.group,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSamples:
    """The samples of rows of a split, and how many rows can't be asked, by the reason."""

    samples: tuple[Sample, ...]
    unusable: Counter[Unusable]


def held_out_samples(
    experiment: Experiment, folder: Path, split: Literal["test", "validation"], most: int | None = None
) -> RowSamples:
    """Return the samples of the rows of a split that is not trained on, or of a seeded choice of `most`."""
    rows, groups = list(own_rows(folder, split)), held_out_groups(folder) if split == "test" else ()
    grouped = bool(rows) and len(groups) == len(rows)
    samples, unusable = list[Sample](), Counter[Unusable]()
    for index, row in enumerate(rows):
        made = _row_sample(experiment, row, "test", split)
        if isinstance(made, Sample):
            samples.append(dataclasses.replace(made, cluster=groups[index]) if grouped else made)
        else:
            unusable[made] += 1
    chosen = samples if most is None else _some(experiment, samples, most)
    return RowSamples(samples=tuple(chosen if grouped else _clustered(chosen)), unusable=unusable)


def training_samples(experiment: Experiment, folder: Path, most: int) -> RowSamples:
    """Return the samples of a seeded choice of `most` different training questions."""
    samples, unusable = dict[str, Sample](), Counter[Unusable]()
    for line in _drawn(experiment, folder, 2 * most + SPARE) if most else ():
        with damage_reported(folder / "train.jsonl"):
            made = _row_sample(experiment, json_value(line), "recall", "train")
        if len(samples) == most:
            break
        if isinstance(made, Sample):
            samples.setdefault(made.id, made)
        else:
            unusable[made] += 1
    return RowSamples(samples=tuple(samples.values()), unusable=unusable)


def _test(experiment: Experiment, folder: Path, notes: list[str]) -> list[Sample]:
    """Return the samples of the held-out split, or of a seeded choice among its rows."""
    wanted = experiment.evaluation.test_set
    if not any((folder / name).is_file() for name in FILES[:2]):
        return []  # nothing is prepared yet
    most = None if isinstance(wanted, bool) else wanted
    found = held_out_samples(experiment, folder, "test", most)
    notes += _left_out(found.unusable)
    if not found.samples:
        rows, hint = found.unusable.total(), "Make `data.split.test` larger, or remove `eval.test_set`."
        message = (
            f"eval.test_set: none of {rows} row{'' if rows == 1 else 's'} of the test split can be asked"
        )
        where = place_of(experiment, "eval", "test_set")
        raise DataError(message, code="empty_test_set", hint=hint, **where)
    if most is not None and most > len(found.samples):
        notes.append(
            f"eval.test_set asks for {wanted} rows: the test split has {len(found.samples)}, all are asked"
        )
    return list(found.samples)


def _some(experiment: Experiment, samples: list[Sample], number: int) -> list[Sample]:
    """Return a seeded choice of samples in their order; added rows change it little."""
    ranks = [_rank(experiment, f"{one.id} {one.reference}".encode("utf-8", "replace")) for one in samples]
    chosen = set(heapq.nsmallest(number, range(len(samples)), key=ranks.__getitem__))
    return [one for index, one in enumerate(samples) if index in chosen]


def _taught(experiment: Experiment, folder: Path, notes: list[str]) -> list[Sample]:
    """Return a seeded choice of training questions; what was taught is the reference and passes."""
    wanted = experiment.evaluation.recall_sample
    samples: dict[str, Sample] = {}
    lines = _drawn(experiment, folder, 2 * wanted + SPARE)
    for line in lines:
        with damage_reported(folder / "train.jsonl"):
            made = _row_sample(experiment, json_value(line), "recall", "train")
        if isinstance(made, Sample) and (made.reference or made.expect) and len(samples) < wanted:
            samples.setdefault(made.id, _passes_as_taught(made))
    if lines and len(samples) < wanted:
        notes.append(
            f"eval.recall_sample asks for {wanted} training questions: only {len(samples)} can be asked"
        )
    return list(samples.values())


def _drawn(experiment: Experiment, folder: Path, most: int) -> list[bytes]:
    """Return a seeded choice of different lines of the training file, in the order of the drawing."""
    drawn = {_rank(experiment, line) for line in own_lines(folder, "train")}
    chosen = set(heapq.nsmallest(most, drawn))
    lines = {rank: line for line in own_lines(folder, "train") if (rank := _rank(experiment, line)) in chosen}
    return [line for _, line in sorted(lines.items())]


def _passes_as_taught(sample: Sample) -> Sample:
    if sample.reference is None:
        return sample
    return dataclasses.replace(sample, expect={"taught": sample.reference, **(sample.expect or {})})


def _row_sample(
    experiment: Experiment, row: Mapping[str, Any], of: SampleSet, prefix: str
) -> Sample | Unusable:
    return row_sample(row, of, prefix, graded=experiment.train.method == "reinforcement")


def _general(experiment: Experiment, folder: Path) -> Iterator[Sample]:
    """Yield the general-ability set, asked without the experiment's system prompt."""
    evaluation = experiment.evaluation
    if not evaluation.general:
        return
    for prompt in evaluation.general_prompts or shipped_prompts(language(experiment, folder)):
        sample = prompt_sample(prompt, system=None, of="general")
        yield dataclasses.replace(sample, id=f"general:{prompt.id}", own_system=True)


def language(experiment: Experiment, folder: Path) -> str | None:
    """Return the language (ISO 639-1) of the training data or, without any, of the eval prompts."""
    rows = itertools.islice(own_rows(folder, "train"), LOOKED_AT)
    turns = (turn for row in rows if (turn := last_turn(row)))
    found = main_language(text for turn in turns for text in (turn.answer, turn.question))
    return found or main_language(one.user or "" for one in experiment.evaluation.prompts)


def _left_out(unusable: Counter[Unusable]) -> Iterator[str]:
    """Yield what to know about rows of the test split that are not asked."""
    if number := unusable["media"]:
        yield f"rows of the test split with images, audio or files, which are not asked: {number}"
    if number := unusable["incomplete"]:
        yield f"rows of the test split without a question or an answer, which are not asked: {number}"


def _clustered(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Yield the samples; those that ask the same belong together."""
    samples = list(samples)
    hashes = [question_hash(one.turns, one.tools) for one in samples]
    times = Counter(hashes)
    for one, asked in zip(samples, hashes, strict=True):
        yield dataclasses.replace(one, cluster=asked) if times[asked] > 1 else one


def with_own_ids(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Yield the samples; one whose id is taken gets a longer one, made of what distinguishes it."""
    taken = set[str]()
    for one in samples:
        own = one.id
        if own in taken:
            distinct = question_hash(
                [*one.turns, {"system": one.system, "reference": one.reference}], one.tools
            )
            own = next(
                name
                for number in itertools.count(1)
                if (name := f"{one.id}-{distinct[:4]}" + (f"-{number}" if number > 1 else "")) not in taken
            )
        taken.add(own)
        yield one if own == one.id else dataclasses.replace(one, id=own)


def _rank(experiment: Experiment, content: bytes) -> int:
    """Return the place of content in a seeded order."""
    seed = experiment.data.split.seed if experiment.data.split else SEED
    return int.from_bytes(hashlib.blake2b(content, digest_size=8, key=str(seed).encode()[:64]).digest())
