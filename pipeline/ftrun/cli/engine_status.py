"""`ftrun serve --status`: what the engine of a home is doing. Prints no secret."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftrun.cli.output import json_text


def print_status(home: Path, as_json: bool) -> None:
    """Print address, process, jobs, queues and aliases of the engine of `home`, or that none is running.

    Raises DecisionError if one runs, but does not answer.
    """
    from ftrun.engine.launch import require_end

    if print_running(home, as_json):
        return
    require_end(home)
    if as_json:
        print(json_text({"running": False, "home": str(home)}))
    else:
        print(f"No engine is running for {home}.")


def print_running(home: Path, as_json: bool) -> bool:
    """Print the status of the engine of `home`; print nothing and return False if none is running."""
    from ftrun.engine.launch import info_of, running_engine

    endpoint = running_engine(home)
    if endpoint is None:
        return False
    info = info_of(endpoint)
    if as_json:
        told = {name: info.get(name) for name in ("version", "busy", "dtype", "jobs", "aliases", "chats")}
        address = {"base_url": endpoint.base_url, "pid": endpoint.pid, "store": endpoint.store}
        print(json_text({"running": True, **address, "home": str(home), **told}))
        return True
    print(f"The engine is running at {endpoint.base_url} (process {endpoint.pid}).")
    print(f"Its token: ftrun serve --show --home {shlex.quote(str(home))}")
    print(f"Store: {endpoint.store} in {home}")
    _print_jobs(info.get("jobs", {}))
    for chat in info.get("chats", []):
        if chat["answering"] or chat["waiting"]:
            print(queue_in_words(chat))
    for name, model in info.get("aliases", {}).items():
        print(f"Alias: {name} stands for {model}.")
    return True


def _print_jobs(jobs: Mapping[str, int]) -> None:
    if jobs:
        counted = ", ".join(f"{count} {status}" for status, count in sorted(jobs.items()))
        print(f"Jobs in the store: {counted}.")
    else:
        print("No jobs yet.")


def queue_in_words(chat: Mapping[str, Any]) -> str:
    """Return how many questions a chat model is answering, how many wait, and for about how long."""
    from ftrun.report.words import duration

    model, answering, waiting, seconds = (chat[name] for name in ("model", "answering", "waiting", "seconds"))
    if seconds is None:
        return f"Questions to {model}: {answering} being answered, {waiting} waiting."
    return (
        f"Questions to {model}: {answering} being answered, {waiting} waiting; "
        f"all done in about {duration(seconds)}."
    )
