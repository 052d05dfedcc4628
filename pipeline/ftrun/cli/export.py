"""`ftrun export`: write the tuned model for other software, and ask it there what the engine was asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.options import experiment_options
from ftrun.cli.output import print_json
from ftrun.errors import DecisionError, UsageError
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.engine.export.card import Facts
    from ftrun.engine.export.formats import Format
    from ftrun.engine.export.source import Source
    from ftrun.engine.export.verifying import Asked, Verification
    from ftrun.runner import Session

MOST_SHOWN = 5  # answers that differ; --json has all of them
FORMATS = ("adapter", "safetensors", "gguf")


@click.command(name="export")
@experiment_options
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), required=True, metavar="DIR", help="A new folder."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    default="adapter",
    show_default=True,
    help="An adapter for PEFT, the merged model, or a file for llama.cpp and Ollama.",
)
@click.option(
    "--verify", "verifies", is_flag=True, help="Load it in what will run it, and compare all eval answers."
)
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    folder: Path,
    kind: Format,
    verifies: bool,
) -> int:
    """Write the tuned model of a local target to a folder, with a model card that says how to run it."""
    from ftrun.engine.export.exporting import export
    from ftrun.engine.export.folder import check_free
    from ftrun.engine.export.verifying import require_runtime, verify
    from ftrun.files import output_path
    from ftrun.runner import open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    _check_target(session)
    place = output_path(folder)
    check_free(place)
    if verifies:
        require_runtime(kind)
    source, facts = _source(session), _facts(session)
    _say(f"Writing {facts.model} …")
    files = export(source, facts, kind, place)
    if not as_json:
        print(
            f"{place}: {kind}, {sum(files.values()) / 1e6:,.1f} MB in {len(files)} files; see README.md there"
        )
    found = verify(place, kind, source, _questions(session), _say) if verifies else None
    if as_json:
        print_json(_document(facts, kind, place, files, found))
    elif found is not None:
        for line in _lines(found):
            print(line)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _check_target(session: Session) -> None:
    """Raise UsageError unless the target is the engine on this machine, with a model that learns."""
    from ftrun.targets import is_local

    target = session.experiment.target
    if target.rehearses:
        raise UsageError(
            f"{session.experiment.name} on {target.name} is a rehearsal: it trained nothing that could be "
            "exported",
            code="not_exportable",
            hint="Train a model on this machine, such as smollm2-135m-instruct, and export that.",
        )
    if not is_local(target):
        raise UsageError(
            f"the models of the target {target.name} are at {target.provider}: its API has no weights",
            code="not_exportable",
            hint="Export a model that was trained on this machine: --target with a local target.",
        )


def _source(session: Session) -> Source:
    """Return where the tuned model and its base model are; UsageError if nothing was trained yet."""
    from ftrun.cli.chat import models_of
    from ftrun.cli.connection import service_of
    from ftrun.engine.export.source import find_source
    from ftrun.engine.launch import running_engine, tuned_model
    from ftrun.engine.places import engine_home
    from ftrun.paid.removed_models import missing_error
    from ftrun.runner import context_of

    model = models_of(session, ())["tuned"]
    with service_of(session) as service:
        endpoint = running_engine(engine_home())
        found = None if endpoint is None else tuned_model(endpoint, model)
        if found is None:
            raise missing_error(context_of(session), service, model) or DecisionError(
                f"the engine that runs does not say where {model} is: it is of an earlier version",
                code="engine_incompatible",
                hint="Run this again when its job has ended, or stop the engine: ftrun serve --stop",
            )
    return find_source(found["base"], Path(found["folder"]), _say)


def _facts(session: Session) -> Facts:
    """Return what the state and the history know of the tuned model."""
    from ftrun.engine.export.card import Facts
    from ftrun.evaluation.asked.system_prompt import system_prompt
    from ftrun.evaluation.showing.phrasing import LABELS
    from ftrun.paid.history import history

    experiment, waited = session.experiment, session.state.stages["wait"].result
    known = next(one for one in history(session.state, session.folder) if one["current"])
    spec, verdict = known["spec"], known["verdict"]
    labels = {str(decision): words for decision, words in LABELS.items()}
    return Facts(
        name=experiment.name,
        description=experiment.description,
        model=known["fine_tuned_model"],
        job_id=known["job_id"],
        method=spec.get("method", "supervised"),
        seed=spec.get("seed"),
        dtype=waited.get("dtype"),
        finished_at=_date(known["finished_at"]),
        examples=known["examples"],
        trained_tokens=known["trained_tokens"],
        data={name: value for name, value in spec.items() if name.endswith(" data") and value},
        hyperparameters=known["hyperparameters"],
        verdict=[labels[verdict["decision"]], *verdict["reasons"]] if verdict else (),
        system=system_prompt(experiment, session.folder),
        sampling=experiment.evaluation.sampling,
    )


def _date(seconds: float | None) -> str | None:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds else None


def _questions(session: Session) -> list[Asked]:
    """Return everything that the evaluation asks the tuned model, but what is not text alone."""
    from ftrun.engine.export.verifying import Asked
    from ftrun.experiment.model import CandidateSpec
    from ftrun.paid.asking.questionnaire import questionnaire
    from ftrun.runner import context_of

    tuned = CandidateSpec(name="tuned", model="tuned")
    own = [one for one in session.experiment.evaluation.candidates if one.model == "tuned"]
    asked = questionnaire(context_of(session), own[:1] or [tuned])
    return [
        Asked(id=one.sample, messages=one.messages, max_tokens=int(one.sampling.get("max_tokens", 256)))
        for one in asked.requests
        if one.repeat == 0 and not one.tools and all(_is_text(message) for message in one.messages)
    ]


def _is_text(message: Mapping[str, Any]) -> bool:
    return isinstance(message.get("content"), str) and message["role"] in ("system", "user", "assistant")


def _document(
    facts: Facts, kind: str, folder: Path, files: Mapping[str, int], found: Verification | None
) -> dict[str, Any]:
    verified = None if found is None else {**asdict(found), "equal": found.equal}
    return {
        "experiment": facts.name,
        "model": facts.model,
        "job_id": facts.job_id,
        "format": kind,
        "folder": str(folder),
        "files": dict(files),
        "verification": verified,
    }


def _lines(found: Verification) -> Iterator[str]:
    if found.equal == found.asked:
        yield f"{found.runtime}: all {found.asked} answers are those of the engine"
    else:
        yield f"{found.runtime}: {found.equal} of {found.asked} answers are those of the engine"
    for one in found.differences[:MOST_SHOWN]:
        yield f"[{visible(one.id)}]"
        yield f"  engine: {visible(one.engine)}"
        yield f"  export: {visible(one.exported)}"
    if len(found.differences) > MOST_SHOWN:
        yield f"… and {len(found.differences) - MOST_SHOWN} more that differ (all of them with --json)"
    for name, why in found.refused.items():
        yield f"not asked: {visible(name)}: {visible(why)}"
