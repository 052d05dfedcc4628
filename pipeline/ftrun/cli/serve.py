"""`ftrun serve`: run the engine in the foreground, name its models, show it or stop it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from ftrun.cli.engine_names import set_aliases
from ftrun.cli.engine_status import print_running, print_status, queue_in_words
from ftrun.cli.output import json_text
from ftrun.engine.models.number_format import SETTINGS, VARIABLE
from ftrun.errors import DecisionError, UsageError
from ftrun.files import real


@click.command(name="serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address of this machine.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Port (default: any free port).")
@click.option("--token-env", metavar="NAME", help="Read the token from this variable (default: a new token).")
@click.option("--home", type=click.Path(path_type=Path), help="The store's folder (default: $FTRUN_HOME).")
@click.option(
    "--dtype",
    type=click.Choice(SETTINGS),
    help="Number format of the base models (default: $FTRUN_DTYPE, else auto).",
)
@click.option(
    "--alias",
    "aliases",
    metavar="NAME=MODEL",
    multiple=True,
    help="Let MODEL answer to NAME too, also in an engine that runs already; NAME= ends that.",
)
@click.option("--status", is_flag=True, help="Print address, jobs, queues and aliases of the engine.")
@click.option("--show", is_flag=True, help="Print address and token of the engine that is running.")
@click.option("--stop", is_flag=True, help="Stop the engine of this home. Jobs in training keep running.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
def command(
    host: str,
    port: int,
    token_env: str | None,
    home: Path | None,
    dtype: str | None,
    aliases: tuple[str, ...],
    status: bool,
    show: bool,
    stop: bool,
    as_json: bool,
) -> None:
    """Run the engine: a fine-tuning server on this machine that speaks OpenAI's API.

    Give its base_url and token to any client of that API. Ctrl-C stops it.
    """
    from ftrun.engine.places import engine_home

    folder = real(home) if home is not None else engine_home()
    if show + stop + status > 1:
        raise UsageError("Use one of --show, --status and --stop.", code="usage")
    if aliases and (show or stop or status):
        raise UsageError("Use --alias without --show, --status and --stop.", code="usage")
    for wanted, action in ((stop, _stop), (show, _show), (status, print_status)):
        if wanted:
            action(folder, as_json)
            return
    from ftrun.engine.extras import require_engine

    require_engine()
    if aliases:
        set_aliases(folder, aliases)
        plain = dtype is None and token_env is None and port == 0
        if plain and print_running(folder, as_json):
            return
    if dtype is not None:
        os.environ[VARIABLE] = dtype  # for the processes that this server starts, too
    # FastAPI and uvicorn take half a second
    from ftrun.engine.server import ServeOptions, serve

    settings = ServeOptions(home=folder, host=host, port=port, token=_token(token_env))
    serve(settings, ready=lambda note: _say_ready(note, as_json))


def _stop(home: Path, as_json: bool) -> None:
    from ftrun.engine.launch import require_end, stop_engine

    stopped = stop_engine(home)
    if not stopped:
        require_end(home)
    if as_json:
        print(json_text({"stopped": stopped, "home": str(home)}))
    else:
        print("The engine has stopped." if stopped else f"No engine is running for {home}.")


def _show(home: Path, as_json: bool) -> None:
    """Print how to reach the engine in the background; UsageError if none is running."""
    from ftrun.engine.launch import chats_of, require_end, running_engine
    from ftrun.engine.web.opening import LONGEST_SECONDS, issue_page

    endpoint = running_engine(home)
    if endpoint is None:
        require_end(home)
        raise UsageError(
            f"No engine is running for {home}.",
            code="no_engine",
            hint="Start one with `ftrun serve`; a run on a `local` target starts one in the background, too.",
        )
    chats = chats_of(endpoint)
    if as_json:
        names = ("base_url", "token", "pid", "store", "at_once")
        shown = {name: getattr(endpoint, name) for name in names}
        print(json.dumps({**shown, "chats": chats}), flush=True)
        return
    print(
        f"  export OPENAI_BASE_URL={endpoint.base_url}\n  export OPENAI_API_KEY={endpoint.token}", flush=True
    )
    print("Any client of OpenAI's API can use it now. The token is a secret.", file=sys.stderr)
    with contextlib.suppress(DecisionError):  # an older engine, which has no page
        page = issue_page(endpoint, {"seconds": LONGEST_SECONDS})
        print(f"Page, opens once, within 10 minutes: {page}", file=sys.stderr)
    for chat in chats:
        if chat["waiting"]:
            print(queue_in_words(chat), file=sys.stderr)


def _token(variable: str | None) -> str | None:
    """Return the token in `variable`; UsageError if an HTTP header can't hold it."""
    if variable is None:
        return None
    token = os.environ.get(variable, "")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"The variable {variable} is not a usable token: it must be printable ASCII without spaces.",
            code="bad_token",
            hint=f"export {variable}=\"$(python3 -c 'import secrets; print(secrets.token_urlsafe())')\"",
        )
    return token


def _say_ready(note: dict[str, Any], as_json: bool) -> None:
    from ftrun.engine.web.opening import page_address

    if as_json:
        shown = {name: note[name] for name in ("base_url", "token", "pid", "version", "store")}
        print(json.dumps(shown), flush=True)
        return
    print(
        f"The engine is running. Press Ctrl-C to stop it.\n\n  export OPENAI_BASE_URL={note['base_url']}",
        flush=True,
    )
    print(f"  export OPENAI_API_KEY={note['token']}\n", flush=True)
    print("Any client of OpenAI's API can use it now.", file=sys.stderr)
    page = page_address(note["base_url"])
    print(f"Jobs and models in the browser: {page} (asks for the token)", file=sys.stderr)
