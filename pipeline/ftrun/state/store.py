"""Owns the state file: read and verified, written whole with a backup, locked by a run.

A damaged file stops the run and is never taken for empty; a file of a newer version is refused.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ftrun.errors import DecisionError
from ftrun.files import digest, write_atomic, write_json
from ftrun.secrecy import hide_in
from ftrun.state.model import VERSION, State

GITIGNORE = """\
# written by ftrun: the state and the report of a remote target belong into git, the rest does not
*
!.gitignore
!*/
!state.json
!report.md
# a local target's store is this machine's own: its state means nothing elsewhere
{local}
"""


class StateStore:
    """The state file of one experiment on one target, in its run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "state.json"

    def load(self) -> State | None:
        """Return the verified state, None where there is none; DecisionError when it can't be trusted."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            data = json.loads(raw)
            version = data["version"]
        except (ValueError, KeyError, TypeError):
            raise self._damaged("is not readable as a state") from None
        if version != VERSION:
            self._refuse_version(version)
        claimed = data.pop("checksum", None)
        if claimed != digest(data):
            raise self._damaged("was changed or cut: its checksum does not fit")
        try:
            return State.from_json(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged(f"lacks a part ({error})") from error

    def save(self, state: State) -> None:
        """Write the state durably; the last good one becomes `state.json.backup`."""
        state.serial += 1
        data = hide_in(state.to_json())  # before the checksum, not after it
        data["checksum"] = digest(data)
        if self.path.exists():
            write_atomic(self.path.with_suffix(".json.backup"), self.path.read_bytes())
        write_json(self.path, data)

    def _refuse_version(self, version: Any) -> None:
        raise DecisionError(
            f"{self.path} has version {version!r}; this ftrun knows version {VERSION}",
            code="state_version",
            file=str(self.path),
            hint="Use the ftrun that wrote it, or a newer one. Nothing was changed.",
        )

    def _damaged(self, what: str) -> DecisionError:
        backup = self.path.with_suffix(".json.backup")
        way = (
            f"the last good one is {backup}: compare, and put it in place"
            if backup.exists()
            else ("move it away: the next run finds its uploads and its job at the server and adopts them")
        )
        return DecisionError(
            f"{self.path} {what}; no call was made",
            code="state_damaged",
            file=str(self.path),
            hint=way[0].upper() + way[1:] + ".",
        )

    @contextmanager
    def locked(self, *, wait: bool) -> Iterator[None]:
        """Hold the run's lock; DecisionError (exit 4) names who holds it, `wait` waits for it instead.

        The kernel releases the lock with the process, so it is never stale.
        """
        import filelock  # costs 0.1 s, and a run with nothing to do needs no lock

        self.folder.mkdir(parents=True, exist_ok=True)
        holder = self.folder / "lock.json"
        lock = filelock.FileLock(self.folder / "run.lock", timeout=-1 if wait else 0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise DecisionError(
                f"another run of this experiment is going on ({_who(holder)})",
                code="locked",
                file=str(lock.lock_file),
                hint="Wait for it with --wait, or look with `ftrun status`.",
            ) from None
        try:
            write_json(holder, {"pid": os.getpid(), "host": platform.node()})
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()


def _who(holder: Path) -> str:
    try:
        data = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {data['pid']} on {data['host']}"
    except (OSError, ValueError, KeyError):
        return "it has not said who it is"


def write_gitignore(runs: Path, local_targets: tuple[str, ...]) -> None:
    """Write `runs/.gitignore`, adding the folders of local targets to those that it names already."""
    path = runs / ".gitignore"
    kept = {line for line in _lines(path) if line.startswith("*/")}
    local = sorted(kept | {f"*/{name}/" for name in local_targets})
    text = GITIGNORE.format(local="\n".join(local)).rstrip() + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_atomic(path, text)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
