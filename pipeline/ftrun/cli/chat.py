"""`ftrun chat`: talk to the tuned model with the experiment's system prompt, next to others if you like."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.options import experiment_options
from ftrun.cli.output import print_json
from ftrun.errors import UsageError
from ftrun.language import verbatim
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.evaluation.asked.candidates import KnownModels
    from ftrun.runner import Session
    from ftrun.targets import Service

STUCK = 300  # characters that a loop may fill before the rest of it is left out
Messages = list[dict[str, Any]]


@click.command(name="chat")
@experiment_options
@click.option(
    "--with",
    "candidates",
    multiple=True,
    metavar="MODEL",
    help="Ask this model too: `base`, `ckpt-step-N`, or a model id.",
)
@click.option("-m", "--message", help="Ask this and exit.")
@click.option("--web", is_flag=True, help="Chat on a page of the engine, with the base model beside it.")
@click.option("--no-browser", is_flag=True, help="With --web: print the page's address, open no browser.")
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    candidates: tuple[str, ...],
    message: str | None,
    web: bool,
    no_browser: bool,
) -> int:
    """Talk to the tuned model, with the experiment's system prompt. An empty line or Ctrl-D ends the chat."""
    from ftrun.cli.chat_page import refuse_page, show_page
    from ftrun.cli.connection import service_of
    from ftrun.runner import open_session

    if no_browser and not web:
        raise UsageError("--no-browser needs --web", code="usage")
    if web and (message is not None or as_json):
        raise UsageError("--web can't be used with --message or --json", code="usage")
    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    if web:
        refuse_page(session)
        candidates = (*(name for name in candidates if name != "base"), "base")
    models = models_of(session, candidates)
    with service_of(session) as service, _telling_if_gone(session, service, models["tuned"]):
        if web:
            service.model(models["tuned"])  # which is an error of its own if it is gone
            show_page(session, models, browser=not no_browser)
            return 0
        talk = Talk(session, service, models)
        if as_json:
            print_json({"answers": talk.answers(message or sys.stdin.read().strip())})
        elif message is not None:
            talk.ask(message)
        else:
            _converse_until_interrupted(talk)
    return 0


@contextmanager
def _telling_if_gone(session: Session, service: Service, tuned: str) -> Iterator[None]:
    """Let the error of a tuned model that the server no longer has say so, with the next step."""
    from ftrun.paid.removed_models import missing_error
    from ftrun.runner import context_of
    from ftrun.targets import NotFoundError

    try:
        yield
    except NotFoundError as error:
        gone = missing_error(context_of(session), service, tuned)
        if gone is None:
            raise
        raise gone from error


def models_of(session: Session, candidates: tuple[str, ...]) -> dict[str, str]:
    """Return the name and model id of each model to ask; UsageError if nothing has been trained yet,
    DecisionError if the model was deleted.
    """
    from ftrun.evaluation.asked.candidates import KnownModels, checkpoint_models
    from ftrun.paid.removed_models import removed_at, removed_error
    from ftrun.runner import context_of, no_model

    record = session.state.stages.get("wait")
    tuned = record.result.get("fine_tuned_model") if record and record.status == "done" else None
    if tuned is None:
        raise no_model(session)
    at = removed_at(session.folder, str(record.result.get("spec")) if record else "", tuned)
    if at is not None:
        raise removed_error(context_of(session), tuned, at)
    deployed = session.state.stages.get("deploy")
    if deployed is not None and deployed.result.get("model") == tuned:
        if deployed.result.get("removed"):
            raise UsageError(
                f"the deployment of {tuned} was removed after the evaluation",
                code="not_deployed",
                hint="Set `deployment: {keep: true}` on the target and run with --force deploy.",
            )
        tuned = deployed.result["deployment"]
    points = record.result.get("checkpoints", ()) if record else ()
    known = KnownModels(
        base=session.experiment.target.model, tuned=tuned, checkpoints=checkpoint_models(points)
    )
    return {"tuned": tuned, **{name: _model_id(name, known) for name in candidates}}


def _model_id(name: str, known: KnownModels) -> str:
    """Return the model that a name stands for; UsageError where it is more, or less, than a model."""
    from ftrun.evaluation.asked.candidates import meaning_of

    found = meaning_of(name)
    model = found.model(known)
    if found.few_shot or found.retrieval or model is None:
        names = ", ".join(("base", *known.checkpoints))
        raise UsageError(
            f"--with {name}: there is no such model to chat with",
            code="usage",
            hint=f"Name one of {names}, or a model by its id.",
        )
    return model


class Talk:
    """A conversation with one or several models, each with its own history."""

    def __init__(self, session: Session, service: Service, models: dict[str, str]) -> None:
        from ftrun.evaluation.asked.system_prompt import system_prompt

        self.service, self.models = service, models
        self.experiment, self.noted = session.experiment, set[str]()
        self.sampling = dict(session.experiment.evaluation.sampling)
        system = system_prompt(session.experiment, session.folder)
        start: Messages = [{"role": "system", "content": system}] if system else []
        self.histories: dict[str, Messages] = {name: list(start) for name in models}

    def answers(self, text: str) -> list[dict[str, str]]:
        """Return each model's answer."""
        return [
            {"candidate": name, "model": self.models[name], "answer": "".join(self._pieces(name, text))}
            for name in self.models
        ]

    def ask(self, text: str) -> None:
        """Print each model's answer as it comes."""
        for name in self.models:
            label = f"{name}> " if len(self.models) > 1 else ""
            print(label, end="", flush=True)
            shown = ""
            for piece in self._pieces(name, text):
                if not _is_stuck(shown):
                    shown += piece
                    print(verbatim(visible(piece, keep_newlines=True)), end="", flush=True)
            print("… (repeats itself; the rest is not shown)" if _is_stuck(shown) else "")

    def _pieces(self, name: str, text: str) -> Iterator[str]:
        from ftrun.targets.refusals import change_notes, explained

        history = self.histories[name]
        history.append({"role": "user", "content": text})
        said, model = [], self.models[name]
        with explained(self.experiment, "eval"):
            for piece in self.service.chat_stream(model, history, self.sampling):
                said.append(piece)
                yield piece
        for note in change_notes(model, self.service.changes.get(model, {})):
            if note not in self.noted:
                click.echo(f"\nwarning: {note}", err=True)
                self.noted.add(note)
        history.append({"role": "assistant", "content": "".join(said)})


def _is_stuck(text: str) -> bool:
    """Return whether an answer only repeats itself by now."""
    from ftrun.scoring.texts.degenerate import loop_of

    if len(text) < STUCK:
        return False
    loop = loop_of(text)
    return loop is not None and len(text) - loop.start >= STUCK


def _converse_until_interrupted(talk: Talk) -> None:
    """Talk; on a terminal Ctrl-C ends the chat as Ctrl-D does, elsewhere it is an interrupt as usual."""
    terminal = sys.stdin.isatty()
    try:
        _converse(talk)
    except KeyboardInterrupt:
        if not terminal:
            raise
    if terminal:
        print("\nThe chat has ended.", file=sys.stderr)


def _converse(talk: Talk) -> None:
    terminal = sys.stdin.isatty()
    if terminal:
        models = ", ".join(talk.models.values())
        print(f"Chatting with {models}. An empty line or Ctrl-D ends the chat.", file=sys.stderr)
    while True:
        if terminal:
            print("you> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line.strip():
            return
        talk.ask(line.strip())
