"""`ftrun augment`: propose training rows, written by a model or taken from failed eval cases, for review."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.command_lines import program
from ftrun.cli.confirmation import asker
from ftrun.cli.options import experiment_options, paying_option
from ftrun.cli.output import print_json
from ftrun.errors import UsageError
from ftrun.experiment.places import shown_path
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.augment.requests import AskedModel
    from ftrun.augment.review_file import ReviewFile
    from ftrun.runner import Session


@click.command(name="augment")
@experiment_options
@click.option(
    "--with",
    "who",
    metavar="TARGET[:MODEL]",
    help="The model to ask: a target, and `base`, `tuned` or a model id.",
)
@click.option("--from-failures", is_flag=True, help="Use the failed eval cases; you write the answers.")
@paying_option
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    who: str | None,
    from_failures: bool,
    yes: bool,
) -> int:
    """Ask a model for paraphrases of training rows or for new ones. Approve them with `ftrun review`."""
    from ftrun.augment.review_file import ReviewFile
    from ftrun.augment.row_texts import row_texts_of
    from ftrun.runner import open_session
    from ftrun.runner.session import no_data

    if from_failures and who is not None:
        raise UsageError("--from-failures asks no model: leave --with out", code="usage")
    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    if not session.experiment.trains:
        raise no_data(session.experiment)
    row_texts = row_texts_of(session.experiment)
    review = ReviewFile(session.experiment, row_texts, session.folder.parent)
    if from_failures:
        document = _take_failures(session, review)
    else:
        other, asked = _asked_session(config, session, who, overrides, runs_dir)
        document = _ask(session, other, asked, review, yes=yes, as_json=as_json)
    document |= _whole(session, review)
    if as_json:
        print_json(document)
    else:
        _print(session, document)
    return 0


def _asked_session(
    config: Path, session: Session, who: str | None, overrides: tuple[str, ...], runs: Path | None
) -> tuple[Session, AskedModel]:
    """Return the session of the target to ask, and the model to ask there."""
    from ftrun.augment.requests import AskedModel
    from ftrun.runner import open_session

    augment = session.experiment.data.augment
    name, _, model = (who or "").partition(":")
    names = [target.name for target in session.experiment.targets]
    if who is not None and name not in names:
        hint = f"Targets: {', '.join(names)}. To choose a model: --with {names[0]}:tuned, or a model id."
        raise UsageError(f"--with {who}: unknown target", code="unknown_target", hint=hint)
    target = name or augment.target or session.experiment.target.name
    model = model or ("base" if who else augment.model)
    other = session
    if target != session.experiment.target.name:
        other = open_session(config, target=target, overrides=overrides, runs=runs)
    origin = other.state.identity.get("origin") or "local"
    return other, AskedModel(target=target, model=_model_id(other, model), origin=origin)


def _model_id(session: Session, model: str) -> str:
    from ftrun.cli.chat import models_of
    from ftrun.evaluation.asked.candidates import KnownModels, meaning_of

    found = meaning_of(model)
    if found.trained:
        return models_of(session, (model,))[model]
    return found.model(KnownModels(base=session.experiment.target.model)) or model


def _ask(
    session: Session, other: Session, who: AskedModel, review: ReviewFile, *, yes: bool, as_json: bool
) -> dict[str, Any]:
    from ftrun.runner.augmenting import Augmentation

    def count(number: int, of: int) -> None:
        if not as_json and (sys.stderr.isatty() or number in (1, of)):
            print(f"asking {who.model}: {number} of {of}", file=sys.stderr)

    work = Augmentation(session, other, who, review, note=lambda text: click.echo(text, err=True), tell=count)
    return work.run(yes=yes, ask=asker(as_json))


def _take_failures(session: Session, review: ReviewFile) -> dict[str, Any]:
    from ftrun.augment.asking import new_run
    from ftrun.augment.failed_cases import entries_of, failed_cases
    from ftrun.augment.row_texts import row_texts_of

    records = failed_cases(_answered_in(session), session.experiment.evaluation)
    found, left_out = entries_of(session.experiment, row_texts_of(session.experiment), records, *new_run())
    added = review.add(found)
    unfit = {"doesn't fit into the columns of a row": len(left_out)} if left_out else {}
    return {"kind": "failure", "failed": len(records), "proposed": len(added), "left_out": unfit}


def _answered_in(session: Session) -> Path:
    """Return the folder with the current model's answers.jsonl; in a fresh clone that of the history."""
    from ftrun.evaluation.answer_files import ANSWERS
    from ftrun.paid.history import archive_folder

    waited = session.state.stages.get("wait")
    if waited is None or "spec" not in waited.result or (session.folder / ANSWERS).exists():
        return session.folder
    return archive_folder(session.folder, waited.result["spec"])


def _whole(session: Session, review: ReviewFile) -> dict[str, Any]:
    from ftrun.augment.entries import counts
    from ftrun.augment.review_file import yaml_line

    review.write_training_file()
    return {
        "experiment": session.experiment.name,
        "target": session.experiment.target.name,
        "review_file": os.path.normpath(review.path),
        "training_file": os.path.normpath(review.training),
        "source_line": yaml_line(session.experiment, review.training),
        **counts(review.entries()),
    }


def _print(session: Session, document: Mapping[str, Any]) -> None:
    if document["kind"] == "failure":
        failed = "1 eval case" if document["failed"] == 1 else f"{document['failed']} eval cases"
        print(f"{failed} failed; {document['proposed']} new for review.")
        if document["proposed"]:
            print("note: once trained on, these questions only test what the model has memorized.")
    else:
        there = f"{document['cached']} answers were already cached"
        print(f"{document['model']} was asked {document['asked']} times ({there}).")
        print(f"{document['proposed']} new rows are waiting for review.")
    for reason, number in document["left_out"].items():
        print(f"  left out: {number} {visible(reason)}")
    print(f"{shown_path(Path(document['review_file']))}: {document['pending']} pending, ", end="")
    print(f"{document['approved']} approved, {document['rejected']} rejected")
    if document["pending"]:
        print(f"next: {program()} review {shlex.quote(shown_path(session.experiment.file))}")
