"""Runs of the command line that a fork server starts: processes to wait for, to talk to and to kill."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from support.fork_server import HEAD

ROOT = Path(__file__).resolve().parents[2]
for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(name, None)  # users have none: output waits in a buffer, nothing is compiled twice
# what Python and its libraries read once, when they start
AT_START = ("PYTHON", "LC_", "LANG", "OPENAI_", "HF_", "AWS_")
# without what is the user's: no key is to be in the server
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name.startswith(("PYTHON", "LC_", "LANG", "PATH", "HOME", "TMPDIR", "LD_", "DYLD_"))
}


class Forked:
    """A run, like a `subprocess.Popen` of `python -m ftrun`."""

    def __init__(self, report: int, stdout: IO[str] | None, stderr: IO[str] | None) -> None:
        self._report, self._told = report, b""
        self.stdout, self.stderr = stdout, stderr
        self.returncode: int | None = None
        self.pid = int(self._line(None) or 0)

    def _line(self, seconds: float | None) -> str | None:
        """Return what is reported next, or None if it takes longer."""
        end = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._told:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([self._report], [], [], left)[0]:
                return None
            piece = os.read(self._report, 100)
            assert piece, "the fork server has gone"
            self._told += piece
        line, _, self._told = self._told.partition(b"\n")
        return line.decode()

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code; the negative signal of a run that was killed."""
        if self.returncode is None:
            line = self._line(timeout)
            if line is None:
                raise subprocess.TimeoutExpired("ftrun", timeout or 0)
            self.returncode = int(line)
            os.close(self._report)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read both streams to their ends, wait, and return what was printed."""
        said = {"stdout": "", "stderr": ""}

        def read(name: str) -> None:
            with getattr(self, name) as stream:
                said[name] = stream.read()

        readers = [threading.Thread(target=read, args=(name,), daemon=True) for name in said]
        end = None if timeout is None else time.monotonic() + timeout
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(None if end is None else max(0.0, end - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired("ftrun", timeout or 0)
        self.wait(None if end is None else max(0.0, end - time.monotonic()))
        return said["stdout"], said["stderr"]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """A process with the modules of `pipeline` imported, which forks runs."""

    def __init__(self, pipeline: Path = ROOT / "pipeline") -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        path = os.pathsep.join((str(pipeline), str(ROOT / "tests")))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "support.fork_server"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={**ENVIRONMENT, "PYTHONPATH": path},
            )
        assert self._control.recv(1), "the fork server did not start"

    def start(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        encoding: str | None = None,
        session: bool = False,
        clock: float = 0.0,
        points: Path | None = None,
        at: int | None = None,
        errno: int | None = None,
    ) -> Forked:
        """Start `ftrun WORDS`. Without a descriptor stdin is empty, and stdout and stderr are pipes."""
        order = {"words": list(words), "cwd": str(cwd), "env": dict(env), "session": session, "clock": clock}
        order |= {"points": str(points) if points else None, "at": at, "errno": errno}
        data = json.dumps(order).encode()
        with contextlib.ExitStack() as ours:  # the descriptors that only the run needs

            def kept(descriptor: int) -> int:
                ours.callback(os.close, descriptor)
                return descriptor

            def pipe() -> tuple[IO[str], int]:
                end, other = os.pipe()
                return os.fdopen(end, encoding=encoding), kept(other)

            report, told = os.pipe()
            kept(told)
            if stdin is None:
                stdin = kept(os.open(os.devnull, os.O_RDONLY))
            streams: dict[str, Any] = {"stdout": None, "stderr": None}
            if stdout is None:
                streams["stdout"], stdout = pipe()
            if stderr is None:
                streams["stderr"], stderr = pipe()
            with self._lock:
                size = len(data).to_bytes(HEAD, "big")
                socket.send_fds(self._control, [size], [told, stdin, stdout, stderr])
                self._control.sendall(data)
        return Forked(report, **streams)

    def close(self) -> None:
        """End the server; runs go on."""
        self._control.close()
        self._process.wait()


def can_be_forked(environment: Mapping[str, str]) -> bool:
    """Say whether a fresh interpreter with this environment would be as the one that is forked."""
    here, there = (
        {name: value for name, value in one.items() if name.startswith(AT_START)}
        for one in (environment, ENVIRONMENT)
    )
    return here == there


@functools.cache
def fork_server() -> ForkServer:
    """Return the fork server of these tests, which starts with the first run."""
    server = ForkServer()
    atexit.register(server.close)
    return server
