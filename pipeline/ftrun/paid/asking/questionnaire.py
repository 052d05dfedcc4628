"""What the evaluation asks of whom, and which answers are still missing: known before anything is asked.

The stages that ask, and that deploy a model so that it can be asked, both decide by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftrun.errors import ConfigError
from ftrun.experiment.model import CandidateSpec
from ftrun.experiment.places import place_of
from ftrun.experiment.target import Target
from ftrun.paid.asking.eval_inputs import STAGE, evaluation_decision, origin_of
from ftrun.paid.history import archive_of
from ftrun.paid.job_spec import spec_key
from ftrun.targets import identity_of
from ftrun.workflow.context import Context

if TYPE_CHECKING:  # a run with nothing to do asks nobody
    from ftrun.evaluation.answer_files import AnswerCache
    from ftrun.evaluation.answers import Candidate, Record, Request
    from ftrun.evaluation.asked.candidates import KnownModels
    from ftrun.evaluation.recorded import Recorded
    from ftrun.scoring.types import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Questionnaire:
    """Everything that is asked of every candidate, and the answers that are kept; `again`: they are not used.

    `candidates` are in the order of the file, with those whose answers are `recorded`, which are by name.
    """

    samples: tuple[Sample, ...]
    notes: tuple[str, ...]  # on what is not asked
    candidates: tuple[Candidate, ...]
    requests: tuple[Request, ...]
    recorded: Mapping[str, Recorded]
    cache: AnswerCache
    again: bool

    @property
    def known(self) -> Mapping[str, Record]:
        """Return the answers that are not asked for again, by cache key."""
        return {} if self.again else self.cache.records

    def missing(self) -> tuple[Request, ...]:
        """Return what must still be asked."""
        return self._unanswered(self.known)

    def all(self) -> tuple[Request, ...]:
        """Return what would be asked if no answer were kept."""
        return self._unanswered({})

    def _unanswered(self, known: Mapping[str, Record]) -> tuple[Request, ...]:
        from ftrun.evaluation.answers import unanswered

        return unanswered(self.requests, known)

    @property
    def expected(self) -> int:
        """Return how many answers there are once all are answered."""
        return len(self.requests) + sum(len(one.records) for one in self.recorded.values())

    @property
    def models(self) -> dict[str, str | None]:
        """Return the model of each candidate; None for recorded answers that don't say."""
        recorded = {name: one.model for name, one in self.recorded.items()}
        return {one.name: recorded.get(one.name, one.model or None) for one in self.candidates}

    def in_order(self, answered: Sequence[Record]) -> list[Record]:
        """Return the answers and the recorded ones, question by question, in the candidates' order."""
        found: dict[tuple[str, str], list[Record]] = {}
        for record in (*answered, *(one for each in self.recorded.values() for one in each.records)):
            found.setdefault((record.prompt_id, record.candidate), []).append(record)
        order = ((sample.id, candidate.name) for sample in self.samples for candidate in self.candidates)
        return [record for key in order for record in found.get(key, ())]


def questionnaire(context: Context, specs: Sequence[CandidateSpec] | None = None) -> Questionnaire:
    """Return what is asked; `specs`: of these candidates instead of the file's."""
    from ftrun.evaluation.answer_files import AnswerCache
    from ftrun.evaluation.asked.samples import collect
    from ftrun.evaluation.recorded import read_recorded

    evaluation = context.experiment.evaluation
    found = collect(context.experiment, context.path("train").parent)
    samples = found.samples
    specs = evaluation.candidates if specs is None else specs
    candidates = {spec.name: candidate_of(context, spec) for spec in specs}
    return Questionnaire(
        samples=samples,
        notes=found.notes,
        candidates=tuple(candidates.values()),
        requests=tuple(_requests(context, samples, specs, candidates)),
        recorded={
            spec.name: read_recorded(spec.name, spec.answers, samples)
            for spec in specs
            if spec.answers is not None
        },
        cache=AnswerCache(context.folder, archive_of(context)),
        again=context.settings.force == STAGE,
    )


def _requests(
    context: Context,
    samples: Sequence[Sample],
    specs: Sequence[CandidateSpec],
    candidates: Mapping[str, Candidate],
) -> Iterator[Request]:
    from ftrun.evaluation.asked.candidates import needs_rows, requests_of
    from ftrun.evaluation.asked.nearest_rows import TrainingRows, training_rows

    evaluation, asked = context.experiment.evaluation, [one for one in specs if one.answers is None]
    rows = TrainingRows(())
    if any(map(needs_rows, asked)):
        rows = training_rows(context.path("train"), context.sha("train"))
    for sample in samples:
        for spec in asked:
            yield from requests_of(
                sample,
                spec,
                candidates[spec.name],
                rows=rows,
                sampling=evaluation.sampling,
                repeats=evaluation.repeat,
            )


def candidate_of(context: Context, spec: CandidateSpec) -> Candidate:
    """Return who a candidate is; its model is empty until it is trained, or if answers are recorded."""
    from ftrun.evaluation.answers import Candidate
    from ftrun.evaluation.asked.candidates import meaning

    if spec.answers is not None:
        return Candidate(name=spec.name, model="")
    target = None if spec.target == context.experiment.target.name else spec.target
    known = known_models(context, target)
    model = meaning(spec).model(known)
    if model is None and known.tuned is not None:
        raise _no_checkpoint(context, spec, known)
    return Candidate(
        name=spec.name,
        model=model or "",
        origin=origin_of(context.state.identity if target is None else identity_of(_target(context, target))),
        target=target,
    )


def _no_checkpoint(context: Context, spec: CandidateSpec, known: KnownModels) -> ConfigError:
    there = ", ".join(known.checkpoints) or "none"
    return ConfigError(
        f"the tuned model has no checkpoint {spec.model}",
        code="no_checkpoint",
        hint=f"Its checkpoints: {there}.",
        **place_of(context.experiment, "eval", "models"),
    )


def _target(context: Context, name: str) -> Target:
    return next(one for one in context.experiment.targets if one.name == name)


def known_models(context: Context, target: str | None = None) -> KnownModels:
    """Return the models that names stand for, on the experiment's target or on another one of the file."""
    from ftrun.evaluation.asked.candidates import KnownModels, checkpoint_models

    if target is not None:
        return KnownModels(base=_target(context, target).model)
    tuned, waited = tuned_model(context), context.result("wait")
    points = waited.get("checkpoints", ()) if waited.get("spec") == spec_key(context) else ()
    return KnownModels(
        base=context.experiment.target.model,
        tuned=tuned,
        checkpoints=checkpoint_models(points),
    )


def tuned_model(context: Context) -> str | None:
    """Return the model of the present configuration, once it is trained: also after going back to it."""
    job = context.state.jobs.get(spec_key(context))
    return job.fine_tuned_model if job is not None else None


def asks_tuned(context: Context) -> bool:
    """Return whether the tuned model would be asked anything: only then must it be deployed."""
    from ftrun.evaluation.asked.candidates import needs_training

    evaluation = context.experiment.evaluation
    if evaluation_decision(context).action != "run" or not evaluation.asks:
        return False
    tuned = tuned_model(context)
    if tuned is None:
        return any(map(needs_training, evaluation.candidates))
    return any(request.candidate.model == tuned for request in questionnaire(context).missing())
