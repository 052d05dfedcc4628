"""One engine process from start to end: socket, lock, engine.json, signals, and stopping when idle.

`python -m ftrun.engine.server HOME` is the background one; `ftrun serve` calls `serve` in the foreground.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import math
import os
import secrets
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from filelock import Timeout

import ftrun
from ftrun.engine.api import BatchRuns, Services, create_app
from ftrun.engine.api.services import MOST_JOBS
from ftrun.engine.executors import executor_for
from ftrun.engine.inference.chat_pool import IDLE_SECONDS as CHAT_IDLE_SECONDS
from ftrun.engine.inference.chat_pool import ChatPool
from ftrun.engine.launch import WIRE, hanging, running_engine, server_lock
from ftrun.engine.models.number_format import format_setting
from ftrun.engine.places import private_folder
from ftrun.engine.store import Store
from ftrun.errors import DecisionError, FtrunError, UsageError
from ftrun.files import delete, write_json

IDLE_SECONDS = 30 * 60.0
CLOSE_SECONDS = 1  # for unfinished answers when the engine is asked to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How to serve. Port 0: any free one; no token: a random one; no `idle_seconds`: never stop itself."""

    home: Path
    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None
    idle_seconds: float | None = None


def serve(settings: ServeOptions, *, ready: Callable[[dict[str, Any]], None]) -> None:
    """Serve until SIGINT or SIGTERM, or until idle for long; `ready` gets the content of engine.json.

    Raises UsageError for a port in use, an address that is not loopback or a variable with a wrong value,
    DecisionError if the home folder already has an engine.
    """
    format_setting()
    listener = _listen(settings.host, settings.port)
    private_folder(settings.home)
    lock = server_lock(settings.home)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        listener.close()
        raise _occupied(settings.home) from error
    try:
        _serve_locked(settings, listener, ready)
    finally:
        lock.release()


def _serve_locked(
    settings: ServeOptions, listener: socket.socket, ready: Callable[[dict[str, Any]], None]
) -> None:
    store = Store(settings.home)
    store.sweep()
    chats = ChatPool(settings.home / "chat", idle_seconds=_number("FTRUN_CHAT_IDLE", CHAT_IDLE_SECONDS))
    services = Services(
        store=store,
        executor=executor_for(store),
        chats=chats,
        token=settings.token or secrets.token_urlsafe(32),
        most_jobs=int(_number("FTRUN_ENGINE_JOBS", MOST_JOBS)),
    )
    note = _note(services, settings, listener.getsockname()[1])
    path = settings.home / "engine.json"

    def listening() -> None:
        services.executor.start()
        write_json(path, note, mode=0o600)
        ready(note)

    server = _Server(services, settings.idle_seconds, listening)
    try:
        server.run(sockets=[listener])
    finally:
        delete(path)
        services.executor.stop()
        store.close()


class _Server(uvicorn.Server):
    """A uvicorn server that calls `listening` once it answers, stops when idle, and obeys signals."""

    def __init__(self, services: Services, idle_seconds: float | None, listening: Callable[[], None]) -> None:
        self._batches = BatchRuns(services)
        super().__init__(
            uvicorn.Config(
                create_app(services, self._batches),
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=CLOSE_SECONDS,
            )
        )
        self._services, self._idle_seconds, self._listening = services, idle_seconds, listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Obey signals until the process ends.

        uvicorn would put back the handlers of the command line, which take a signal of a moment ago for one
        that nobody has heard.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then report it."""
        await super().startup(sockets=sockets)
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._watch, args=(loop,), name="idle", daemon=True).start()
        await self._batches.resume()
        self._listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, give unfinished answers a moment, and wait for the end of the chat processes."""
        await super().shutdown(sockets=sockets)
        self._services.chats.close()
        with contextlib.suppress(TimeoutError):  # one that the system can't end yet
            await asyncio.wait_for(self._services.chats.wait_for_end(), CLOSE_SECONDS)

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Stop cleanly, whatever else is being done."""
        self._services.chats.close()
        self.should_exit = True

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop idle chat processes, and the engine itself when there has been no request for long."""
        while True:
            time.sleep(0.5)
            if self.should_exit:
                return
            training = self._services.executor.busy
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                loop.call_soon_threadsafe(partial(self._services.chats.end_idle, training=training))
            if self._idle_seconds is None:
                continue
            if self._services.busy:
                self._services.last_request = time.monotonic()
            elif time.monotonic() - self._services.last_request > self._idle_seconds:
                self.should_exit = True


def _note(services: Services, settings: ServeOptions, port: int) -> dict[str, Any]:
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    return {
        "base_url": f"http://{shown}:{port}/v1",
        "token": services.token,
        "pid": os.getpid(),
        "version": ftrun.__version__,
        "wire": WIRE,
        "prefix": sys.prefix,
        "store": services.store.id,
        "background": settings.idle_seconds is not None,
    }


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to a loopback address."""
    address = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ipaddress.ip_address(address)
    except ValueError:
        loopback = None
    if loopback is None or not loopback.is_loopback:
        raise UsageError(
            f"The engine listens on this machine only: {host} is not a loopback address.",
            code="not_loopback",
            hint="Use ftrun serve --host 127.0.0.1, and `ssh -L` to reach it from another machine",
        )
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio turns Nagle's algorithm off only if the protocol is given; with it each answer on a kept
    # connection waits 40 ms for an acknowledgement
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"Port {port} of {host} can't be used: {error.strerror}.",
            code="port_in_use",
            hint="Use any free port: ftrun serve --port 0",
        ) from error
    return listener


def _occupied(home: Path) -> DecisionError:
    endpoint = running_engine(home)
    if endpoint is None:
        return hanging(home)
    return DecisionError(
        f"An engine of {home} is already running at {endpoint.base_url} (process {endpoint.pid}).",
        code="engine_running",
        hint=f"`ftrun serve --show --home {shlex.quote(str(home))}` prints its address and token, for any "
        "client "
        "of OpenAI's API; `--stop` instead of `--show` ends it. Or choose another --home.",
    )


def _number(variable: str, default: float) -> float:
    """Return the number in an environment variable; UsageError for anything else."""
    value = os.environ.get(variable) or str(default)
    with contextlib.suppress(ValueError):
        if 0 < (number := float(value)) < math.inf:
            return number
    raise UsageError(
        f"{variable} is {value!r}, which is not a number above 0.",
        code="not_a_number",
        hint=f"Set it to a number such as {default:g}, or unset it.",
    )


def main(home: str) -> int:
    """Serve `home` in the background until idle; an error goes to the log, as one line."""
    try:
        idle = _number("FTRUN_ENGINE_IDLE", IDLE_SECONDS)
        serve(ServeOptions(home=Path(home), idle_seconds=idle), ready=lambda note: None)
    except FtrunError as error:
        print(json.dumps({"error": error.problem.as_dict()}, ensure_ascii=False), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
