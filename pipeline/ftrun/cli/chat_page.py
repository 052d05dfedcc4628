"""`ftrun chat --web`: the engine's page with the experiment's models, system prompt and questions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from ftrun.errors import UsageError

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.engine.launch import Endpoint
    from ftrun.runner import Session

MOST_PROMPTS = 6
BROWSER_SECONDS = 60  # that a browser may take to start
FILE = "chat.html"
REDIRECT = '<!doctype html>\n<meta charset="utf-8">\n<meta http-equiv="refresh" content="0; url={}">\n'


def refuse_page(session: Session) -> None:
    """Raise UsageError if the target's models are not the engine's."""
    from ftrun.cli.command_lines import program
    from ftrun.experiment.places import shown_path
    from ftrun.targets.connect import is_local

    target = session.experiment.target
    if not is_local(target):
        here = f"{program()} chat {shown_path(session.experiment.file)}"
        raise UsageError(
            f"--web shows models of the engine on this machine; the target {target.name} is another service",
            code="usage",
            hint=f"In the terminal it works there, too: `{here} --with base`",
        )


def show_page(session: Session, models: Mapping[str, str], *, browser: bool) -> None:
    """Open the page in a browser; print its address where that is not wanted or not possible."""
    from ftrun.engine.launch import running_engine, warm_engine
    from ftrun.engine.places import engine_home
    from ftrun.engine.web.opening import LONGEST_SECONDS, issue_page

    endpoint = running_engine(engine_home())
    if endpoint is None:
        raise UsageError("The engine was stopped.", code="no_engine", hint="Run the same command again.")
    page = _page(session, models)
    warm_engine(endpoint, session.experiment.target.model)
    if browser and _opens_in_browser(session, endpoint, page):
        return
    address = issue_page(endpoint, {**page, "seconds": LONGEST_SECONDS})
    print(f"Page, opens once, within 10 minutes: {address}", flush=True)


def _opens_in_browser(session: Session, endpoint: Endpoint, page: Mapping[str, Any]) -> bool:
    """Open the page and return whether a browser has loaded it.

    The browser is given a file that only this user can read: every user can see what a process is started
    with, and the address is the way to the token.
    """
    import webbrowser

    from ftrun.engine.web.opening import issue_page, page_address, page_waits
    from ftrun.files import delete, write_atomic

    address, file = issue_page(endpoint, {**page, "seconds": BROWSER_SECONDS}), session.folder / FILE
    try:
        write_atomic(file, REDIRECT.format(escape(address)), mode=0o600)
        if not webbrowser.open(file.resolve().as_uri()):
            return False
        print(f"Opening {page_address(endpoint.base_url)} in the browser.", flush=True)
        end = time.monotonic() + BROWSER_SECONDS
        while page_waits(endpoint, address):
            if time.monotonic() > end:
                return False
            time.sleep(0.2)
        return True
    finally:
        delete(file)


def _page(session: Session, models: Mapping[str, str]) -> dict[str, Any]:
    """Return what the page shows, as `POST /ftrun/pages` takes it."""
    from ftrun.engine.web.opening import MOST_MODELS
    from ftrun.evaluation.asked.system_prompt import system_prompt

    experiment = session.experiment
    asked = [
        one.user
        for one in experiment.evaluation.prompts
        if one.user is not None and not one.own_system and not one.tools
    ]
    order = sorted(models, key=lambda name: name not in ("tuned", "base"))
    if len(models) > MOST_MODELS:  # those that were named matter more than the base model
        order = sorted(models, key=lambda name: name == "base")
    return {
        "title": experiment.name[:200],
        "models": [{"label": name, "model": models[name]} for name in order[:MOST_MODELS]],
        "system": system_prompt(experiment, session.folder),
        "sampling": dict(experiment.evaluation.sampling),
        "prompts": asked[:MOST_PROMPTS],
    }
