"""Every rival gets every eval prompt; answers are kept, judged, counted, and never asked for twice."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrun import data
from ftrun.errors import UserError
from ftrun.experiment.model import Experiment, Template
from ftrun.files import write_json
from ftrun.stages.context import Context
from ftrun.stages.decision import Decision, by_fingerprint
from ftrun.stages.history import keep_answers, present_folder
from ftrun.stages.spec import spec_key
from ftrun.targets import Service

if TYPE_CHECKING:  # a run with nothing to do asks nobody
    from ftrun.evaluation.answers import Message, Question, Record, Reply, Rival

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
        "rivals": list(evaluation.models),
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
    """Tell whether anything would be asked that was not answered before."""
    if decision.action != "run" or not context.experiment.evaluation.prompts:
        return False
    return _tuned(context) is None or bool(_missing(context))


def still_to_ask(context: Context) -> tuple[Experiment, str | None]:
    """Return the experiment with those questions alone that are not answered by all yet, which is what asking
    costs at most; and in words how many answers that is, where some are kept.
    """
    experiment = context.experiment
    if _tuned(context) is None:
        return experiment, None
    missing, total = _missing(context), len(_missing(context, {}))
    if len(missing) == total:
        had = context.result(NAME).get("metrics") and not _cache(context) and context.force != NAME
        gone = "earlier answers are neither here nor in history/: all will be asked for again"
        return experiment, gone if had else None
    ids = {question.id for question, _ in missing}
    prompts = tuple(prompt for prompt in experiment.evaluation.prompts if prompt.id in ids)
    asked = dataclasses.replace(experiment.evaluation, prompts=prompts)
    words = f"{len(missing)} of {total} answers will be asked for; the others are kept"
    return dataclasses.replace(experiment, evaluation=asked), words


def _missing(
    context: Context, known: Mapping[str, Record] | None = None
) -> tuple[tuple[Question, Rival], ...]:
    """Return what was never answered, as far as `known` (if not given, all that is kept) tells."""
    from ftrun.evaluation.answers import unanswered

    known = _cache(context) if known is None else known
    return unanswered(_questions(context), _rivals(context), _sampling(context), known)


def asks_tuned(context: Context) -> bool:
    """Tell whether the tuned model would be asked anything: only then need it be deployed."""
    evaluation = context.experiment.evaluation
    if decide(context, None).action != "run" or not evaluation.prompts:
        return False
    tuned = _tuned(context)
    if tuned is None:
        return "tuned" in evaluation.models
    return any(rival.model == tuned for _, rival in _missing(context))


def run(context: Context) -> dict[str, Any]:
    """Ask what is not answered yet, write answers.jsonl and scores.json, return the scores."""
    from ftrun.evaluation.answers import Reply, collect, unanswered
    from ftrun.evaluation.cache import AnswerCache, write_records
    from ftrun.evaluation.scores import score

    recall = data.recalled(context.experiment, context.path("train").parent)
    asked, rivals, sampling = _questions(context, recall), _rivals(context), _sampling(context)
    cache = AnswerCache(context.folder, present_folder(context))
    known = {} if context.force == NAME else dict(cache.records)
    missing = unanswered(asked, rivals, sampling, known)
    told = 0

    def tell(record: Record) -> None:
        nonlocal told
        told += 1
        cache.append(record)
        context.emit("answer", number=told, of=len(missing), rival=record.rival, prompt_id=record.prompt_id)

    def ask(model: str, messages: Sequence[Message], sampling: Mapping[str, Any]) -> Reply:
        context.emit("asking", number=told + 1, of=len(missing), model=model)
        said = context.service().chat(context.called(model), messages, sampling)
        context.usage.update({(model, kind): number for kind, number in said.usage.items()})
        return Reply(text=said.text, usage=said.usage, seconds=said.seconds)

    try:
        records = collect(asked, rivals, ask, sampling=sampling, cached=known, on_answer=tell)
    finally:
        if told:
            keep_answers(context)  # what was paid for is in the history also when the rest fails
    write_records(context.folder, records)
    scores = score(records).as_dict()
    write_json(context.folder / "scores.json", scores)
    return {"metrics": scores["rivals"], "flips": scores["flips"], "asked": told}


def restore(context: Context) -> None:
    """Write answers.jsonl and scores.json again if they are missing and all answers are kept; ask nobody."""
    from ftrun.evaluation.cache import read_records

    records, evaluation = read_records(context.folder / "answers.jsonl"), context.experiment.evaluation
    whole = len(records) == len(evaluation.prompts) * len(evaluation.models)
    # a run for another model may have died between writing them and saying so
    ours = {record.model for record in records} <= {rival.model for rival in _rivals(context)}
    here = whole and ours and (context.folder / "scores.json").exists()
    if not here and not _missing(context):
        run(context)


def _tuned(context: Context) -> str | None:
    """Return the model of the present configuration, once it is trained: also after going back to it."""
    job = context.state.jobs.get(spec_key(context))
    return job.fine_tuned_model if job is not None else None


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


def _rivals(context: Context) -> list[Rival]:
    """Return everyone who is asked; a literal id stands for itself."""
    from ftrun.evaluation.answers import Rival

    known = {
        "tuned": _tuned(context) or "",
        "base": context.experiment.target.model,
    }
    # models of one name on two stores are two models
    origin = str(context.state.identity.get("store") or context.state.identity.get("origin") or "")
    return [
        Rival(name=name, model=known.get(name, name), origin=origin)
        for name in context.experiment.evaluation.models
    ]


def system_prompt(experiment: Experiment, folder: Path) -> str | None:
    """Return the experiment's system prompt rendered with `vars` alone; for ready chat rows their most
    common one. UserError when the template needs a row.
    """
    prompt = experiment.prompt
    if prompt.system is None and not any(one.role == "system" for one in prompt.messages or ()):
        return _common_system(folder / "train.jsonl")
    from ftrun.experiment.templates import Renderer  # jinja2 costs 0.15 s

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
    with train.open(encoding="utf-8") as lines:
        return most_common_system(json.loads(line) for line in lines)
