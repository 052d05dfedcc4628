"""Find, start and stop the background engine of a home folder. Standard library and filelock only.

`engine.json` in that folder says where it listens; only an authenticated ping proves it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import ftrun
from ftrun.engine.child_process import start
from ftrun.engine.extras import require_engine
from ftrun.engine.models.number_format import format_setting
from ftrun.engine.places import private_folder
from ftrun.errors import DecisionError, FtrunError
from ftrun.files import file_lock, open_to_write
from ftrun.waiting import OverdueError, bounded, waiting

WIRE = 1  # raise it when runner and engine of different versions can no longer work together
START_SECONDS = 120.0  # for a busy machine or a slow disk; an engine that ends is noticed at once
STOP_SECONDS = 3.0
PING_SECONDS = 5.0
ROOM = 200_000  # bytes: what a new store takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A running engine: give base_url and token to the openai SDK. `store` identifies it, ports don't.

    `at_once` is the number of questions that it answers at one time; None for an older engine, which answers
    one after the other.
    """

    base_url: str
    token: str
    store: str
    pid: int
    at_once: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A running engine and what it says about itself."""

    endpoint: Endpoint
    wire: int
    busy: bool
    same: bool
    dtype: str
    background: bool

    @property
    def suits(self) -> bool:
        """Return whether it is of this installation and computes in the format that our environment names."""
        return self.same and self.dtype == format_setting()


def ensure_engine(home: Path, *, announce: Callable[[str], None]) -> Endpoint:
    """Return the engine of `home`, started in the background if none runs.

    An idle one of another version or installation is replaced, and so is one of another FTRUN_DTYPE that
    serves in the background; a busy one is used if it speaks our wire version. Raises DecisionError if it
    does not, FtrunError (extra_missing, engine_start) if none can start, UsageError for an
    unknown FTRUN_DTYPE.
    """
    format_setting()  # an unknown one is said before anything is started
    found = _find(home)
    if found is not None and found.suits:
        return found.endpoint
    private_folder(home)
    try:
        lock = file_lock(home / "engine.lock", mode=0o600, timeout=START_SECONDS)
        with waiting(f"another process that is starting the engine of {home}"):
            lock.acquire()
        try:
            return _ensure_locked(home, announce)
        finally:
            lock.release()
    except Timeout as error:
        raise FtrunError(
            f"Another process has been starting the engine of {home} for {START_SECONDS:g} seconds.",
            code="engine_start",
            hint="Run the same command again. If that does not help: ftrun serve --stop",
        ) from error


def running_engine(home: Path) -> Endpoint | None:
    """Return the running engine of `home`, or None; starts nothing and writes nothing."""
    found = _find(home)
    return None if found is None else found.endpoint


def warm_engine(endpoint: Endpoint, model: str) -> bool:
    """Let the engine load the base model `model` in the background, for the first question to come.

    Returns whether it does: not where the memory is short, the engine is older or can't be reached, or it
    doesn't know the model. Raises nothing: who asks that model is told why it can't answer.
    """
    if endpoint.at_once is None:
        return False
    answer = _call(endpoint.base_url, endpoint.token, "/ftrun/warm", {"model": model})
    return answer is not None and answer.get("warmed") is True


def chats_of(endpoint: Endpoint) -> Sequence[Mapping[str, Any]]:
    """Return what each chat model of an engine is doing: model, answering, waiting, and the seconds that will
    take or None; nothing for an older engine or one that can't be reached.
    """
    chats: Sequence[Mapping[str, Any]] = info_of(endpoint).get("chats", [])
    return chats


def info_of(endpoint: Endpoint) -> Mapping[str, Any]:
    """Return what an engine says about itself, as `GET /ftrun/info`; nothing if it can't be reached."""
    return _call(endpoint.base_url, endpoint.token, "/ftrun/info") or {}


def tuned_model(endpoint: Endpoint, name: str) -> Mapping[str, Any] | None:
    """Return where a tuned model is: `base`, the name of its base model, and `folder`, its adapter's; None if
    the engine has no such model, is older, or can't be reached.
    """
    return _call(endpoint.base_url, endpoint.token, f"/ftrun/models/{urllib.parse.quote(name)}")


def stop_engine(home: Path) -> bool:
    """Stop the engine of `home` and return whether one was running. Running jobs keep running."""
    endpoint = running_engine(home)
    if endpoint is None:
        return False
    _signal(endpoint, signal.SIGTERM)
    if not _wait_for_end(home, STOP_SECONDS):
        _signal(endpoint, signal.SIGKILL)
        _wait_for_end(home, STOP_SECONDS)
    return True


def server_lock(home: Path) -> FileLock:
    """Return the lock that the server of `home` holds while it runs."""
    return file_lock(home / "server.lock", mode=0o600)


def hanging(home: Path) -> DecisionError:
    """Return the error for a server that holds the lock of `home`, but does not answer."""
    return DecisionError(
        f"An engine of {home} is already running, but does not answer.",
        code="engine_hangs",
        hint=f"Its process id is in {home / 'engine.json'}: kill that process and run this again",
    )


def require_end(home: Path) -> None:
    """Raise DecisionError if a server of `home` runs, though it does not answer. Creates nothing."""
    if (home / "server.lock").exists() and not _wait_for_end(home, STOP_SECONDS):
        raise hanging(home)


def _ensure_locked(home: Path, announce: Callable[[str], None]) -> Endpoint:
    found = _find(home)
    if found is not None:
        if found.suits:
            return found.endpoint
        if found.same and (found.busy or not found.background):
            announce(
                f"The running engine was started with FTRUN_DTYPE={found.dtype} and keeps it until it is "
                "restarted."
            )
            return found.endpoint
        if found.busy:
            return _busy_one(found)
        if found.same:
            announce(f"Replacing the engine: the running one was started with FTRUN_DTYPE={found.dtype}.")
        else:
            announce("Replacing the engine: the running one is of another version or installation.")
        stop_engine(home)
    return _start(home, announce)


def _busy_one(found: _Found) -> Endpoint:
    """Return a busy engine of another installation, if it speaks our wire version."""
    if found.wire == WIRE:
        return found.endpoint
    raise DecisionError(
        f"The running engine (process {found.endpoint.pid}) is busy and speaks wire version {found.wire}; "
        f"this ftrun speaks {WIRE}.",
        code="engine_incompatible",
        hint="Run this again when its job has ended, or stop the engine: ftrun serve --stop",
    )


def _start(home: Path, announce: Callable[[str], None]) -> Endpoint:
    require_engine()
    announce("Starting the engine in the background (it stops by itself after 30 idle minutes).")
    log = home / "engine.log"
    with open_to_write(log, "wb", mode=0o600) as file:
        process = start("ftrun.engine.server", str(home), folder=home, log=file, own_session=True)
    with waiting(f"the engine of {home} to start (its log: {log})"):
        endpoint = _wait_for_start(home, process, log)
    # it outlives this process on purpose: without this line Popen would warn about that
    process.returncode = 0
    return endpoint


def _wait_for_start(home: Path, process: subprocess.Popen[bytes], log: Path) -> Endpoint:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        found = _find(home)
        if found is not None:
            return found.endpoint
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise FtrunError(
        f"The engine did not start: {_last_words(log)}",
        code="engine_start",
        file=str(log),
        hint="Start it in the foreground to see more: ftrun serve",
    )


def _last_words(log: Path) -> str:
    """Return why an engine ended, from the last line of its log, which is JSON for an expected error.

    On a full disk the log is empty, or has the message of a library.
    """
    disk = os.statvfs(log.parent)
    if disk.f_bavail * disk.f_frsize < ROOM:
        return f"no space left in {log.parent}."
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["its log is empty."]
    try:
        return str(json.loads(lines[-1])["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return lines[-1]


def _signal(endpoint: Endpoint, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended since it answered
        os.kill(endpoint.pid, number)


def _wait_for_end(home: Path, seconds: float) -> bool:
    try:
        with server_lock(home).acquire(timeout=seconds, poll_interval=0.02):
            return True
    except Timeout:
        return False


def _find(home: Path) -> _Found | None:
    """Read engine.json and ping; once more if it was replaced between the two."""
    for _ in range(2):
        noted = _read_note(home)
        if noted is None:
            return None
        info = _call(noted["base_url"], noted["token"], "/ftrun/info")
        if info is not None and info.get("store") == noted.get("store"):
            return _found(noted, info)
        if _read_note(home) == noted:
            return None
    return None


def _found(noted: dict[str, Any], info: dict[str, Any]) -> _Found:
    endpoint = Endpoint(
        base_url=noted["base_url"],
        token=noted["token"],
        store=noted["store"],
        pid=info["pid"],
        at_once=info.get("at_once"),
    )
    mine = (WIRE, ftrun.__version__, sys.prefix)
    same = (info["wire"], info["version"], info["prefix"]) == mine
    return _Found(
        endpoint=endpoint,
        wire=info["wire"],
        busy=info["busy"],
        same=same,
        dtype=info.get("dtype", "auto"),
        background=noted.get("background", True),
    )


def _read_note(home: Path) -> dict[str, Any] | None:
    try:
        note = json.loads((home / "engine.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return note if isinstance(note, dict) and _is_note(note) else None


def _is_note(note: dict[str, Any]) -> bool:
    return all(isinstance(note.get(name), str) for name in ("base_url", "token", "store"))


def _call(base_url: str, token: str, path: str, body: Any = None) -> dict[str, Any] | None:
    """Return the engine's answer to a GET, or to a POST of `body`; None if there is none or an error."""
    try:
        found = ask_engine(base_url, token, path, body)
    except urllib.error.HTTPError as error:
        error.close()
        return None
    except (OSError, ValueError, RecursionError, OverdueError):
        return None
    return found if isinstance(found, dict) else None


def ask_engine(base_url: str, token: str, path: str, body: Any = None) -> Any:
    """Return the engine's answer to a GET, or to a POST of `body`.

    Raises HTTPError for a refusal, OSError, ValueError, RecursionError or OverdueError for no usable answer.
    """
    url = base_url.removesuffix("/v1") + path
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310
    # no proxy may carry a loopback request, or see the token
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return bounded(lambda: _get_json(opener, request), PING_SECONDS, cut=lambda: None)


def _get_json(opener: urllib.request.OpenerDirector, request: urllib.request.Request) -> Any:
    with opener.open(request, timeout=PING_SECONDS) as answer:
        return json.load(answer)
