"""Every candidate gets every eval prompt; answers are kept, judged, counted, and never asked for twice."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrun import data
from ftrun.errors import UserError
from ftrun.experiment.model import Experiment, Template
from ftrun.experiment.target import Target
from ftrun.files import told_damage, write_json
from ftrun.paid.history import keep_answers, models_of_others, present_folder
from ftrun.paid.job_spec import spec_key
from ftrun.targets import Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, by_fingerprint

if TYPE_CHECKING:  # a run with nothing to do asks nobody
    from ftrun.evaluation.answers import Candidate, CandidateReply, Message, Question, Record

NAME = "evaluate"
VERSION = 1
OUTPUTS = ("answers.jsonl", "scores.json")


def inputs(context: Context) -> dict[str, Any]:
    """Return which model is asked, by whom, what, and how it is sampled."""
    evaluation, prompt = context.experiment.evaluation, context.experiment.prompt
    own = _template(prompt.system) or [
        one.content.text
        for one in prompt.messages or ()
        if one.role == "system" and isinstance(one.content, Template)
    ]
    return {
        "evaluation version": VERSION,
        "job": spec_key(context),
        "eval prompts": [dataclasses.asdict(one) for one in evaluation.prompts],
        "rivals": list(evaluation.models),  # the word of every state file: another one would ask again
        "sampling": dict(evaluation.sampling),
        "system prompt": [own, dict(prompt.vars), prompt.dependencies] if own else context.sha("train"),
    }


def _template(template: Template | None) -> str | None:
    return template.text if template else None


def outputs(context: Context) -> tuple[str, ...]:
    """Return the files that it writes; where answers cost money a fresh clone does not ask for them again."""
    return OUTPUTS if context.local else ()


def decide(context: Context, remote: Service | None) -> Decision:
    """Run when the model, the questions or the sampling changed."""
    return by_fingerprint(context, NAME, inputs(context), outputs(context))


def costs(context: Context, decision: Decision) -> bool:
    """Return whether anything would be asked that was not answered before."""
    if decision.action != "run" or not context.experiment.evaluation.prompts:
        return False
    return _tuned(context) is None or bool(_missing(context))


def still_to_ask(context: Context) -> str | None:
    """Return in words how many answers are still to be paid for; None where none is kept, or nobody knows."""
    if _tuned(context) is None:
        return None
    missing, total = _missing(context), len(_missing(context, {}))
    if len(missing) == total:
        had = context.result(NAME).get("metrics") and not _cache(context) and context.force != NAME
        gone = "earlier answers are neither here nor in history/: all will be asked for again"
        return gone if had else None
    return f"{len(missing)} of {total} answers will be asked for; the others are kept"


def _missing(
    context: Context, known: Mapping[str, Record] | None = None
) -> tuple[tuple[Question, Candidate], ...]:
    """Return what was never answered, as far as `known` (if not given, all that is kept) tells."""
    from ftrun.evaluation.answers import unanswered

    known = _cache(context) if known is None else known
    return unanswered(_questions(context), _candidates(context), _sampling(context), known)


def asks_tuned(context: Context) -> bool:
    """Return whether the tuned model would be asked anything: only then need it be deployed."""
    evaluation = context.experiment.evaluation
    if decide(context, None).action != "run" or not evaluation.prompts:
        return False
    tuned = _tuned(context)
    if tuned is None:
        return "tuned" in evaluation.models
    return any(candidate.model == tuned for _, candidate in _missing(context))


def answered(context: Context) -> dict[str, set[str]]:
    """Return the ids of the prompts that each candidate has answered: they are not paid for again."""
    if _tuned(context) is None:
        return {}
    from ftrun.evaluation.answers import cache_key

    cache, sampling, asked = _cache(context), _sampling(context), _questions(context)
    return {
        candidate.name: {one.id for one in asked if cache_key(candidate, one.messages, sampling) in cache}
        for candidate in _candidates(context)
    }


def unfinished_usd(context: Context) -> float:
    """Return what evaluations of this model that did not get to their end have paid, whatever they asked."""
    if not context.experiment.evaluation.prompts or _tuned(context) is None:
        return 0.0
    from ftrun.evaluation.cache import AnswerCache
    from ftrun.paid.spending import ledger_of, usage_usd
    from ftrun.state.ledger import read_ledgers, unfinished_answers

    known, most = unfinished_answers(read_ledgers([ledger_of(context).path]))
    if not most:
        return 0.0
    others = models_of_others(context)
    usage: Counter[tuple[str, str]] = Counter()
    for record in AnswerCache(context.folder, present_folder(context)).records.values():
        if record.model in others:
            continue
        billed = data.billed_tokens(
            _priced(context, record.model), record.messages, record.answer, record.usage
        )
        usage.update({(record.model, kind): number for kind, number in billed.items()})
    kept = min(most, usage_usd(context, usage) or 0.0)
    return kept if others else max(kept, known)  # of several models, the ledger doesn't say whose it was


def run(context: Context) -> dict[str, Any]:
    """Ask what is not answered yet, write answers.jsonl and scores.json, return the scores."""
    from ftrun.evaluation.answers import CandidateReply, collect, unanswered
    from ftrun.evaluation.cache import AnswerCache, write_records
    from ftrun.evaluation.scores import score
    from ftrun.paid.budgets import hold_question
    from ftrun.targets.errors.refusals import explained, remarks

    with told_damage(context.path("train")):
        recall = data.recalled(context.experiment, context.path("train").parent)
    asked, candidates, sampling = _questions(context, recall), _candidates(context), _sampling(context)
    cache = AnswerCache(context.folder, present_folder(context))
    known = {} if context.force == NAME else dict(cache.records)
    missing = unanswered(asked, candidates, sampling, known)
    told, noted = 0, set[str]()

    def tell(record: Record) -> None:
        nonlocal told
        told += 1
        cache.append(record)
        context.came()
        context.emit(
            "answer", number=told, of=len(missing), candidate=record.candidate, prompt_id=record.prompt_id
        )

    def ask(model: str, messages: Sequence[Message], sampling: Mapping[str, Any]) -> CandidateReply:
        hold_question(context, _priced(context, model), messages, f"{told} of {len(missing)} answers came")
        context.emit("asking", number=told + 1, of=len(missing), model=model)
        service, called = context.service(), context.called(model)
        with explained(context.experiment, "eval"):
            said = service.chat(called, messages, sampling)
        changes = service.changes.get(called, {})
        for note in remarks(model, said, changes, "eval", sampling):
            if note not in noted:
                context.emit("warning", message=note)
                noted.add(note)
        usage = data.billed_tokens(_priced(context, model), messages, said.text, said.usage)
        context.usage.update({(model, kind): number for kind, number in usage.items()})
        return CandidateReply(text=said.text, usage=usage, seconds=said.seconds, changes=changes)

    try:
        records = collect(asked, candidates, ask, sampling=sampling, cached=known, on_answer=tell)
    finally:
        if told:
            keep_answers(context)  # what was paid for is in the history also when the rest fails
    write_records(context.folder, records)
    scores = score(records).as_dict()
    write_json(context.folder / "scores.json", scores)
    return {"metrics": scores["candidates"], "flips": scores["flips"], "asked": told}


def restore(context: Context) -> None:
    """Write answers.jsonl and scores.json again if they are missing and all answers are kept; ask nobody."""
    from ftrun.evaluation.cache import read_records

    records, evaluation = read_records(context.folder / "answers.jsonl"), context.experiment.evaluation
    whole = len(records) == len(evaluation.prompts) * len(evaluation.models)
    # a run for another model may have died between writing them and saying so
    ours = {record.model for record in records} <= {candidate.model for candidate in _candidates(context)}
    here = whole and ours and (context.folder / "scores.json").exists()
    if not here and not _missing(context):
        run(context)


def _tuned(context: Context) -> str | None:
    """Return the model of the present configuration, once it is trained: also after going back to it."""
    job = context.state.jobs.get(spec_key(context))
    return job.fine_tuned_model if job is not None else None


def _priced(context: Context, model: str) -> Target:
    """Return the target with the model that is asked, whose price holds."""
    return dataclasses.replace(context.experiment.target, model=model)


def _sampling(context: Context) -> dict[str, Any]:
    return dict(context.experiment.evaluation.sampling)


def _cache(context: Context) -> dict[str, Record]:
    from ftrun.evaluation.cache import AnswerCache

    return {} if context.force == NAME else AnswerCache(context.folder, present_folder(context)).records


def _questions(context: Context, recall: Collection[str] = ()) -> tuple[Question, ...]:
    from ftrun.evaluation.answers import questions

    prompts = context.experiment.evaluation.prompts
    needed = any(one.messages is None and not one.own_system for one in prompts)
    system = system_prompt(context.experiment, context.path("train").parent) if needed else None
    return questions(prompts, system=system, recall=recall)


def _candidates(context: Context) -> list[Candidate]:
    """Return everyone who is asked; a literal id stands for itself."""
    from ftrun.evaluation.answers import Candidate

    known = {
        "tuned": _tuned(context) or "",
        "base": context.experiment.target.model,
    }
    # models of one name on two stores are two models
    origin = str(context.state.identity.get("store") or context.state.identity.get("origin") or "")
    return [
        Candidate(name=name, model=known.get(name, name), origin=origin)
        for name in context.experiment.evaluation.models
    ]


def system_prompt(experiment: Experiment, folder: Path) -> str | None:
    """Return the experiment's system prompt rendered with `vars` alone; for ready chat rows their most
    common one. UserError when the template needs a row.
    """
    prompt = experiment.prompt
    if prompt.system is None and not any(one.role == "system" for one in prompt.messages or ()):
        return _common_system(folder / "train.jsonl")
    from ftrun.experiment.templates.rendering import Renderer  # jinja2 costs 0.15 s

    try:
        return Renderer(experiment).render_system()
    except UserError as error:
        problem = error.problem
        problem.hint = (
            "Eval prompts have no row: give each its own `system:`, or keep columns out of prompt.system."
        )
        raise


def _common_system(train: Path) -> str | None:
    from ftrun.evaluation.answers import most_common_system

    if not train.exists():
        return None
    with told_damage(train), train.open(encoding="utf-8") as lines:
        return most_common_system(json.loads(line) for line in lines)
