"""General rows mixed into the training file so that the model forgets less (`data.replay`).

They are read and checked like other ready rows, but by themselves: no template, system prompt or split
applies to them, and they take no part in the comparisons of the user's rows. One that repeats a row or asks
what is held out is not used. Which ones are used, and where they go, follows from their content and the seed.
"""

from __future__ import annotations

import dataclasses
import heapq
from array import array
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from ftrun.data.diagnostics.findings import Findings
from ftrun.data.general.questions import languages, shipped
from ftrun.data.pipeline.gathered import Gathered
from ftrun.data.pipeline.gathering import Announce, gather
from ftrun.data.quality.corpus import normal
from ftrun.data.quality.overlap import PromptIndex
from ftrun.data.readers.sources import SourceFile, usable_files
from ftrun.data.split.division import TRAIN, ranking
from ftrun.data.split.duplicates import WIDTH
from ftrun.data.types import BUNDLED
from ftrun.experiment.model import Evaluation, Experiment, Prompt, Replay, Source, Split
from ftrun.experiment.places import place_of
from ftrun.protocol.texts import dialogue

FOLDER = Path(__file__).parents[1] / "general"
SEED = 42  # where `data.split` has none
RANGE = 1 << 64


def mix_in(
    experiment: Experiment,
    gathered: Gathered,
    parts: bytearray,
    findings: Findings,
    announce: Announce | None = None,
) -> bytearray:
    """Mix general rows into the training examples; return the parts of all examples that there are then."""
    replay = experiment.data.replay
    own = [index for index, part in enumerate(parts) if part == TRAIN]
    if replay is None or not own:
        return parts
    where = place_of(experiment, "data", "replay")
    if replay.path is None and experiment.train.method != "supervised":
        message = f"the general rows that ship are chats, but the method is {experiment.train.method}"
        hint = "Name a file of rows for this method: `data.replay: {share: 0.1, path: general.jsonl}`."
        findings.add("replay_method", message, hint=hint, **where)
        return parts
    general = _general(experiment, replay, gathered, findings, announce)
    general.find_duplicates(drop=True)
    free = _free(experiment, general, gathered, parts)
    taught = sum(gathered.times[index] for index in own) if gathered.times else len(own)
    wanted = _number(replay.share, taught)
    chosen = sorted(heapq.nsmallest(wanted, free, key=general.rank_of.__getitem__))
    whole = taught + len(chosen)
    share = f"{len(chosen) / whole:.1%}"
    message = f"general rows mixed into the training file: {len(chosen)} ({share} of its {whole:,} rows)"
    findings.add("replay", message, **where)
    if len(chosen) < wanted:
        message = (
            f"a share of {replay.share:g} needs {wanted:,} general rows; those that can be used, each once: "
            f"{len(chosen)}"
        )
        findings.add("replay_few", message, **where)
    return gathered.mix(general, chosen, _places(experiment, general, chosen, own), parts)


def _general(
    experiment: Experiment,
    replay: Replay,
    gathered: Gathered,
    findings: Findings,
    announce: Announce | None,
) -> Gathered:
    """Return the general rows, each as an example; what is wrong with them goes to `findings`."""
    files: Sequence[SourceFile] = general_files(experiment, replay, findings)
    if replay.path is None:
        files = [_shipped(language) for language in languages(gathered.language)]
    alone = _without_prompt(experiment, replay)
    general = gather(alone, files, gathered.spool.beside(), findings, announce)
    if replay.path is None:
        general.files = [BUNDLED + file.path.name for file in files]
    return general


def general_files(experiment: Experiment, replay: Replay, findings: Findings) -> tuple[SourceFile, ...]:
    """Return the user's file of general rows, none without one; what is wrong goes to `findings`."""
    return () if replay.path is None else usable_files(_without_prompt(experiment, replay), findings)


def _without_prompt(experiment: Experiment, replay: Replay) -> Experiment:
    """Return the experiment as general rows have it: they are all of its data, and chats already."""
    path = replay.path or FOLDER
    source = Source(path=path.name, base=path.parent, key=("data", "replay"))
    split = Split(seed=_seed(experiment))
    data = dataclasses.replace(experiment.data, sources=(source,), split=split, replay=None)
    return dataclasses.replace(experiment, data=data, prompt=Prompt(), evaluation=Evaluation())


def _shipped(language: str) -> SourceFile:
    path = FOLDER / f"replay-{language}.jsonl"
    source = Source(path=path.name, base=FOLDER, key=("data", "replay"))
    return SourceFile(path=path, source=source, role="data", format="jsonl")


def _seed(experiment: Experiment) -> int:
    return experiment.data.split.seed if experiment.data.split else SEED


def _number(share: float, taught: int) -> int:
    """Return how many general rows make up a share of the file, beside so many others: at least one."""
    exact = Fraction(str(share))
    return max(1, int(exact / (1 - exact) * taught + Fraction(1, 2)))


def _free(experiment: Experiment, general: Gathered, gathered: Gathered, parts: bytearray) -> list[int]:
    """Return which general rows may be used: no user's row is equal, and nothing held out or asked later is
    what they ask.
    """
    digests = {bytes(general.digests[at : at + WIDTH]) for at in range(0, len(general.digests), WIDTH)}
    ours = range(0, len(gathered.digests), WIDTH)
    taken = {one for at in ours if (one := bytes(gathered.digests[at : at + WIDTH])) in digests}
    held_out = [index for index, part in enumerate(parts) if part != TRAIN]
    asked = {text for example in gathered.spool.examples(held_out) for text in _questions(example)}
    evaluation = experiment.evaluation
    bundled = [prompt for _, prompt in shipped()] if evaluation.general else []
    prompts = PromptIndex([*evaluation.prompts, *(evaluation.general_prompts or bundled)])
    free = []
    for index, example in enumerate(general.spool.examples(range(len(general)))):
        digest = bytes(general.digests[index * WIDTH : (index + 1) * WIDTH])
        if digest in taken or not asked.isdisjoint(_questions(example)):
            continue
        if prompts.exact(example) is None and next(prompts.near(example), None) is None:
            free.append(index)
    return free


def _questions(example: dict[str, object]) -> Iterator[str]:
    yield from (normal(text) for role, text in dialogue(example) if role == "user")


def _places(experiment: Experiment, general: Gathered, chosen: Sequence[int], own: list[int]) -> array[int]:
    """Return, in ascending order, before which example each of the chosen goes: always one of training."""
    rank = ranking(_seed(experiment))
    digests = (bytes(general.digests[one * WIDTH : (one + 1) * WIDTH]) for one in chosen)
    return array("I", sorted(own[rank(digest + b"place") * len(own) // RANGE] for digest in digests))
