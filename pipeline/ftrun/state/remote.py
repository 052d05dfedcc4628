"""A state in a shared storage: the same files, and a lock that is a file there and outlives a killed run.

Only a person removes such a lock (`ftrun state unlock`), no run guesses: a second run might then hold it too.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ftrun.errors import DecisionError
from ftrun.files import write_atomic
from ftrun.state.ledger import NAME as LEDGER
from ftrun.state.ledger import is_torn
from ftrun.state.locks import me
from ftrun.state.model import State
from ftrun.state.storage import Storage, storage_at
from ftrun.state.store import StateStore, read_plain
from ftrun.waiting import waiting

LOCK = "lock.json"
PAUSE = 2.0  # seconds between two attempts to take the lock


def store_at(url: str | None, folder: Path, experiment: str, target: str) -> StateStore:
    """Return the store of an experiment's state on a target: at `url` or, without, in its run folder."""
    return StateStore(folder) if url is None else RemoteStore(folder, storage_at(url, experiment, target))


def _whole_lines(data: bytes | None) -> list[bytes]:
    """Return the lines of a ledger, less a last one that a crash has torn."""
    whole, _, last = (data or b"").rpartition(b"\n")
    return [*whole.splitlines(), *(() if is_torn(last) else last.splitlines())]


def _is_gone(holder: dict[str, Any]) -> bool:
    """Return whether the holder of a lock was a process of this machine that has ended."""
    if holder["host"] != me()["host"] or not isinstance(holder["pid"], int) or not 0 < holder["pid"] < 2**31:
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # there is one, of somebody else
    return False


class RemoteStore(StateStore):
    """The state and the ledger in a shared storage. Everything else is in `folder`, the run folder."""

    def __init__(self, folder: Path, storage: Storage) -> None:
        super().__init__(folder)
        self._storage = storage
        self._lock: bytes | None = None

    def shown(self, name: str = "state.json") -> str:
        """Return the address of a file of the state, for messages."""
        return self._storage.shown(name)

    def fetch_ledger(self) -> None:
        """Fetch what other machines have paid into the ledger here."""
        path = self.folder / LEDGER
        theirs, ours = _whole_lines(self._storage.read(LEDGER)), _whole_lines(read_plain(path))
        if any(line not in ours for line in theirs):
            write_atomic(path, b"".join(line + b"\n" for line in dict.fromkeys((*theirs, *ours))))

    def share_ledger(self) -> None:
        """Let other machines know what was paid here, and keep what they have added since."""
        self.fetch_ledger()
        self._storage.write(LEDGER, read_plain(self.folder / LEDGER) or b"")

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file of the state, None where there is none."""
        return self._storage.read(name)

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the state, whole or not at all."""
        self._storage.write(name, data)

    def put_aside(self, name: str) -> str:
        """Move the damaged state to another name; return its new address."""
        self._storage.write(name, self._storage.read("state.json") or b"")
        self._storage.delete("state.json")
        self._seen = None
        return self._storage.shown(name)

    def save(self, state: State, *, no_way_back: bool = False) -> None:
        """Write the state; DecisionError if the lock was removed meanwhile."""
        if self._lock is not None and self._storage.read(LOCK) != self._lock:
            raise DecisionError(
                f"the lock {self.shown(LOCK)} was removed while this run was going on",
                code="state_changed",
                hint="Run the same command again: it reads what is there now.",
            )
        super().save(state, no_way_back=no_way_back)

    @contextmanager
    def locked(self, *, wait: bool) -> Iterator[None]:
        """Hold the local lock and the shared one; DecisionError (exit 4) names who holds it."""
        with super().locked(wait=wait):
            mine = json.dumps({**me(), "id": str(uuid.uuid4())}).encode()
            if not self._storage.create(LOCK, mine):
                if not wait:
                    raise self._taken()
                with waiting(str(self._taken())):
                    time.sleep(PAUSE)
                    while not self._storage.create(LOCK, mine):
                        time.sleep(PAUSE)
            self._lock = mine
            try:
                self._check_condition()
                yield
            finally:
                self._lock = None
                if self._storage.read(LOCK) == mine:
                    self._storage.delete(LOCK)

    def _check_condition(self) -> None:
        """Refuse a server that overwrites a file although the request forbids it."""
        if self._storage.create(LOCK, b"{}"):
            self._storage.delete(LOCK)
            raise DecisionError(
                f"the server of {self.shown()} ignores conditional writes: no lock is safe there",
                code="state_place",
                hint="Use another server, a shared folder (file://), or git for the state. No call was made.",
            )

    def _taken(self) -> DecisionError:
        holder = self.holder()
        who, way = "an unknown run", f"delete {self.shown(LOCK)} by hand"
        if holder:
            who = f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
            who += ", which is no longer running" if _is_gone(holder) else ""
            way = f"`ftrun state unlock CONFIG --id {holder['id']}`"
        return DecisionError(
            f"another run of this experiment holds the lock ({who})",
            code="locked",
            file=self.shown(LOCK),
            hint=f"Wait for it with --wait. If that run is dead: {way}.",
        )

    def holder(self) -> dict[str, Any]:
        """Return who holds the shared lock: id, pid, host, folder, since; empty if nobody does."""
        try:
            found = json.loads(self._storage.read(LOCK) or b"{}")
            return found if isinstance(found, dict) and {"id", "pid", "host", "since"} <= found.keys() else {}
        except (ValueError, RecursionError):
            return {}

    def unlock(self, lock_id: str) -> bool:
        """Remove the lock with this id, of a run that a person says is dead; return whether there was one."""
        if self.holder().get("id") != lock_id:
            return False
        self._storage.delete(LOCK)
        return True
