"""Who is asked: what each name of `eval.models` stands for, and what a candidate is sent for a sample.

`BUILT_IN` is the table of names; `ckpt-step-N` is a checkpoint, and every other name is a model's id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from ftrun.evaluation.answers import Candidate, Request, cache_key
from ftrun.evaluation.asked.nearest_rows import TrainingRow, TrainingRows
from ftrun.experiment.model import CandidateSpec
from ftrun.protocol.texts import last_question
from ftrun.scoring.types import Message, Sample

CHECKPOINT = re.compile(r"ckpt-step-(\d+)")
NEAREST = 3  # examples or rows where the file does not say how many
# what comes before the rows in the system prompt, what a question and an answer are called there
RETRIEVED = {
    "ja": ("次の質問と回答は、今回の質問に近いものです。役に立つものは参考にしてください。", "質問", "回答"),
    "en": (
        "These questions and answers are close to the question you will get. Use those that help.",
        "Question",
        "Answer",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModels:
    """The models behind names on one target: `tuned` is None until it is trained, `checkpoints` by name."""

    base: str
    tuned: str | None = None
    checkpoints: Mapping[str, str] = field(default_factory=dict)


def checkpoint_models(points: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the models of checkpoints by the names that candidates have for them."""
    return {f"ckpt-step-{one['step']}": str(one["model"]) for one in points if one.get("model")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a name stands for: which model, whether it must be trained first, and how many training examples
    and rows go into its prompt where the file does not say.
    """

    model: Callable[[KnownModels], str | None]
    trained: bool = False
    few_shot: int = 0
    retrieval: int = 0


BUILT_IN: Mapping[str, Meaning] = {
    "tuned": Meaning(model=attrgetter("tuned"), trained=True),
    "base": Meaning(model=attrgetter("base")),
    "few-shot": Meaning(model=attrgetter("base"), few_shot=NEAREST),
    "retrieval": Meaning(model=attrgetter("base"), retrieval=NEAREST),
}
# asked before anything is trained, whatever the file says: what fine-tuning would have to beat
RIVALS = ("base", "few-shot", "retrieval")


def meaning_of(name: str) -> Meaning:
    """Return what a name stands for, as `model:` of a candidate or on the command line."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    if CHECKPOINT.fullmatch(name):
        return Meaning(model=lambda known: known.checkpoints.get(name), trained=True)
    return Meaning(model=lambda known: name)


def meaning(spec: CandidateSpec) -> Meaning:
    """Return what an entry of `eval.models` stands for."""
    return meaning_of(spec.model or "base")


def needs_training(spec: CandidateSpec) -> bool:
    """Return whether a candidate can't be asked before the model is trained."""
    return spec.answers is None and meaning(spec).trained


def few_shot_of(spec: CandidateSpec) -> int:
    """Return how many training examples go into a candidate's prompt."""
    return meaning(spec).few_shot if spec.few_shot is None else spec.few_shot


def retrieval_of(spec: CandidateSpec) -> int:
    """Return how many training rows go into a candidate's system prompt."""
    return meaning(spec).retrieval if spec.retrieval is None else spec.retrieval


def needs_rows(spec: CandidateSpec) -> bool:
    """Return whether a candidate's prompt holds training rows."""
    return spec.answers is None and bool(few_shot_of(spec) or retrieval_of(spec))


def requests_of(
    sample: Sample,
    spec: CandidateSpec,
    candidate: Candidate,
    *,
    rows: TrainingRows,
    sampling: Mapping[str, Any],
    repeats: int = 1,
) -> Iterator[Request]:
    """Yield what a candidate is asked for a sample: once, or `repeats` times with a seed for each."""
    messages = request_messages(sample, spec, rows)
    for repeat in range(repeats):
        sent = {**sampling, "seed": int(sampling["seed"]) + repeat} if "seed" in sampling else dict(sampling)
        yield Request(
            sample=sample.id,
            candidate=candidate,
            messages=messages,
            sampling=sent,
            key=cache_key(candidate, messages, sent, tools=sample.tools, repeat=repeat),
            tools=sample.tools,
            repeat=repeat,
        )


def request_messages(sample: Sample, spec: CandidateSpec, rows: TrainingRows) -> tuple[Message, ...]:
    """Return the messages: the system prompt with what was retrieved, training examples, the question.

    The nearest example comes last. A question that is from the training data never sees itself.
    """
    system = spec.system if spec.own_system and not sample.own_system else sample.system
    asked = last_question(sample.turns)
    but = asked if sample.set == "recall" else None
    few_shot, retrieval = few_shot_of(spec), retrieval_of(spec)
    if retrieval:
        system = _with_rows(system, rows.documents(asked, retrieval, but=but), rows.language)
    shown = rows.examples(asked, few_shot, but=but) if few_shot else []
    turns = [dict(turn) for row in reversed(shown) for turn in row.turns]
    head = [] if system is None else [{"role": "system", "content": system}]
    return (*head, *turns, *sample.turns)


def _with_rows(system: str | None, rows: Sequence[TrainingRow], language: str | None) -> str | None:
    if not rows:
        return system
    intro, question, answer = RETRIEVED.get(language or "en", RETRIEVED["en"])
    told = (f"{question}: {row.question}\n{answer}: {row.answer}" for row in rows)
    return "\n\n".join([*([] if system is None else [system]), intro, *told])
