"""Owns a process that has imported ftrun and forks it: a run starts at once, and can be killed at a point.

Started as a program it reads one JSON object a line and forks a keeper for each, which forks the run, tells
its process id, waits for it and writes down how it ended. `at` is the N-th thing that touches files or the
network: there the run is killed with SIGKILL, or the system answers with the error `errno`. `clock` shifts
its wall clock.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIBRARIES = ("openai", "jinja2", "jsonschema", "rich", "filelock")
PACKAGES = (
    *("cli", "data", "evaluation", "experiment", "paid", "report", "runner", "stages", "state", "targets"),
    *("watching", "workflow"),
)
EVENTS = frozenset(("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "socket.connect"))


def main() -> None:
    """Fork a run for each line of the standard input, until it ends."""
    import_everything()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for line in sys.stdin:
        if os.fork() == 0:
            _keep(json.loads(line))


def import_everything() -> None:
    import importlib
    import pkgutil

    import ftrun

    for name in LIBRARIES:
        importlib.import_module(name)
    for package in PACKAGES:
        where = [f"{folder}/{package}" for folder in ftrun.__path__]
        for module in pkgutil.walk_packages(where, f"ftrun.{package}."):
            importlib.import_module(module.name)
    from ftrun.cost.tokens import text_counter

    text_counter("o200k_base", 1)(["a"])  # its table takes a second to load; threads don't survive a fork


def _keep(order: Mapping[str, Any]) -> None:
    """Fork the run, tell its process id, and write its exit code when it has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        _run(order)
    os.write(1, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    code = Path(order["folder"]) / "code"
    code.with_suffix(".tmp").write_text(str(os.waitstatus_to_exitcode(status)))
    code.with_suffix(".tmp").replace(code)
    os._exit(0)


def _run(order: Mapping[str, Any]) -> None:
    os.setsid()
    folder = Path(order["folder"])
    for number, name in ((1, "stdout"), (2, "stderr")):
        path = order.get("out") or folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, number)
        # as Python starts: a stream that was opened on a file asks a pipe for its position, in vain
        setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    for name in ("SIGINT", "SIGTERM", "SIGPIPE"):
        signal.signal(
            getattr(signal, name), signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
        )
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python starts
    if order.get("clock"):
        _shift_clock(order["clock"])
    points = _Points(order)
    sys.addaudithook(points)
    _count_fsync(points)
    code = 3
    try:
        from ftrun.cli import main as ftrun_main

        ftrun_main(order["words"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class _Points:
    """Counts what a run does to the outside, writes it down, and ends the run at the chosen one."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self._inside = order["cwd"], str(order["env"].get("HOME", "/nowhere"))
        self._at, self._errno = order.get("at"), order.get("errno")
        self._count = 0
        self._log = os.open(Path(order["folder"]) / "points", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        name = self._name(event, args)
        if name is not None:
            self.reach(name, args[0] if event != "socket.connect" else None)

    def reach(self, name: str, path: Any) -> None:
        """Note that a point is reached; die there, or fail there, if it is the one."""
        self._count += 1
        os.write(self._log, f"{name}\n".encode())
        if self._count == self._at and self._errno is None:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._count == self._at and self._errno is not None:
            raise OSError(self._errno, os.strerror(self._errno), path)

    def _name(self, event: str, args: tuple[Any, ...]) -> str | None:
        if event == "open":
            path, _, flags = args
            written = isinstance(path, str) and isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            return f"open {_file(path)}" if written and str(path).startswith(self._inside) else None
        if event == "socket.connect":
            return "connect"
        if event not in EVENTS:
            return None
        return f"{event.removeprefix('os.')} {_file(args[1] if event == 'os.rename' else args[0])}"


def _file(path: Any) -> str:
    """Return a file's name without what differs from run to run."""
    name = re.sub("[0-9a-f]{16,}(-[0-9a-f]{8})?", "HASH", Path(os.fsdecode(path)).name)
    return ".".join(part for part in name.split(".") if not part.isdigit())


def _count_fsync(points: _Points) -> None:
    """Make each fsync a point: a full disk may say so only here, and a death may lose what was written."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        points.reach("fsync", None)
        real(descriptor)

    os.fsync = fsync  # type: ignore[assignment]


def _shift_clock(seconds: float) -> None:
    """Let this process believe that it is another day; what it measures durations with stays."""
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() + seconds
    time.time_ns = lambda: real_ns() + int(seconds * 1e9)


if __name__ == "__main__":
    main()
