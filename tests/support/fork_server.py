"""A process that has imported ftrun and forks it: a run starts at once, and can be killed at a point.

It is a run like any other: a process of its own with its own environment, folder and streams, which ends as
Python ends. Started as a program it reads orders from the socket that is its standard input, each with the
descriptors for its report, stdin, stdout and stderr. For each it forks a keeper, which forks the run; the run
reports its process id, the keeper how it ended. `at` is the N-th thing that touches files or the network:
there the run is killed with SIGKILL, or the system answers with the error `errno`. `clock` shifts its wall
clock.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import re
import runpy
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIBRARIES = (
    *("jinja2", "jsonschema", "rich", "filelock", "h11", "httpcore2", "openai", "openai.lib.streaming.chat"),
    *("openai.resources.chat.completions", "openai.resources.files", "openai.resources.fine_tuning.jobs"),
    "openai.resources.models",
)
PACKAGES = (
    *("cli", "data", "evaluation", "experiment", "paid", "report", "runner", "stages", "state", "targets"),
    *("watching", "workflow"),
)
MODULES = ("ftrun.engine.launch", "ftrun.engine.server")  # those that train import PyTorch, which has threads
EVENTS = frozenset(("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "socket.connect"))
HEAD = 8  # bytes with the length of an order


def main() -> None:
    """Fork a run for each order until there are no more; return in the process that is to run it."""
    import_everything()
    gc.freeze()
    control = socket.socket(fileno=os.dup(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    control.sendall(b"\n")
    while True:
        head, (report, *streams) = _receive(control)
        order = json.loads(head)
        if os.fork() == 0:
            control.close()
            if _keep(report, streams):
                _run(order, report, streams)
        for descriptor in (report, *streams):
            os.close(descriptor)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # so that what they took is counted
                pass


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """Return an order and its descriptors; exit where there are no more."""
    head, descriptors, _, _ = socket.recv_fds(control, HEAD, 4)
    if not head:
        os._exit(0)
    order = b""
    while len(order) < int.from_bytes(head, "big"):
        order += control.recv(int.from_bytes(head, "big") - len(order))
    return order, descriptors


def import_everything() -> None:
    """Import what runs import, and what takes long to build."""
    import ftrun

    for name in (*LIBRARIES, *MODULES):
        importlib.import_module(name)
    for package in PACKAGES:
        where = [f"{folder}/{package}" for folder in ftrun.__path__]
        for module in pkgutil.walk_packages(where, f"ftrun.{package}."):
            importlib.import_module(module.name)
    from ftrun.cost.tokens import text_counter

    text_counter("o200k_base", 1)(["a"])  # its table takes a second to load; threads don't survive a fork


def _keep(report: int, streams: Sequence[int]) -> bool:
    """Fork the run, return True in it; here report its exit code when it has ended."""
    pid = os.fork()
    if pid == 0:
        return True
    for descriptor in (0, 1, *streams):
        os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _run(order: Mapping[str, Any], report: int, streams: Sequence[int]) -> None:
    """Be `python -m ftrun WORDS`, as if it had just been started."""
    if order["session"]:
        os.setsid()
    os.write(report, f"{os.getpid()}\n".encode())
    os.close(report)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    _open_streams()
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    tempfile.tempdir = None
    sys.path[0] = order["cwd"]
    sys.argv = ["ftrun", *order["words"]]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if order["clock"]:
        _shift_clock(order["clock"])
    if order["points"]:
        points = _Points(order)
        sys.addaudithook(points)
        _count_fsync(points)
    runpy.run_module("ftrun", run_name="__main__", alter_sys=True)
    sys.exit()


def _open_streams() -> None:
    """Open the streams anew, as Python does: an old one would ask a pipe for its position, in vain."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        new = os.fdopen(
            number, "w" if number else "r", encoding=old.encoding, errors=old.errors, closefd=False
        )
        new.reconfigure(line_buffering=name == "stderr")
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


class _Points:
    """Counts what a run does to the outside, writes it down, and ends the run at the chosen one."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self._inside = order["cwd"], str(order["env"].get("HOME", "/nowhere"))
        self._at, self._errno = order.get("at"), order.get("errno")
        self._count = 0
        self._log = os.open(order["points"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

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
