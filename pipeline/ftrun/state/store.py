"""The state file: read and verified, written whole with a backup, locked by a run.

A damaged file stops the run and is never taken for empty; a file of a newer version is refused.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ftrun.errors import DecisionError
from ftrun.files import digest, refuse_large, rename, write_atomic
from ftrun.redaction import hide_in
from ftrun.state.forms import FormError
from ftrun.state.migrations import upgraded
from ftrun.state.model import VERSION, State

CONFLICT = (b"<<<<<<< ", b">>>>>>> ")
BACKUP = "state.json.backup"
PAID = (b'"sending"', b'"job_id"')  # in every state with a call without an answer, or with a job
UNTOUCHED = "Nothing was changed, and no call was made."


class StateStore:
    """The state file of one experiment on one target, in its run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "state.json"
        self.backup = folder / BACKUP
        self.lost: State | None = None  # the backup of a state that is gone
        self._seen: bytes | None = None  # what the file held when this store last read or wrote it

    def shown(self, name: str = "state.json") -> str:
        """Return the address of a file of the state, for messages."""
        return str(self.folder / name)

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file of the state, None where there is none."""
        return read_plain(self.folder / name)

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the state, whole or not at all."""
        write_atomic(self.folder / name, data)

    def fetch_ledger(self) -> None:
        """Fetch what other machines have paid into the ledger here: nothing, with a local state."""

    def share_ledger(self) -> None:
        """Let other machines know what was paid here: with a local state, git does that."""

    def put_aside(self, name: str) -> str:
        """Move the damaged state to another name; return its new address."""
        self._seen = None
        rename(self.path, self.folder / name)
        return str(self.folder / name)

    def exists(self) -> bool:
        """Return whether there is a state, whole or not."""
        return self.read("state.json") is not None

    def load(self) -> State | None:
        """Return the verified state, None where there is none; DecisionError when it can't be trusted."""
        self._seen = self.read("state.json")
        state = None if self._seen is None else parse_state(self._seen, self.shown())
        self._refuse_forgetting(state)
        return state

    def save(self, state: State, *, no_way_back: bool = False) -> None:
        """Write the state durably; the last good one becomes `state.json.backup`.

        With `no_way_back` the backup becomes this one too: a call is about to leave, and a state from before
        it must not come back. DecisionError if somebody else wrote the file since it was read.
        """
        if self.read("state.json") != self._seen:
            raise DecisionError(
                f"{self.shown()} was changed by something else while this run was going on",
                code="state_changed",
                file=self.shown(),
                hint="Run the same command again: it reads the new state, and finds its job at the target.",
            )
        state.serial += 1
        data = state_bytes(state)
        if no_way_back:
            self.write(BACKUP, data)
        elif self._seen is not None:
            self.write(BACKUP, self._seen)
        self.write("state.json", data)
        self._seen = self.read("state.json")

    def _refuse_forgetting(self, state: State | None) -> None:
        """Refuse a missing, earlier or other `state`, as git may leave it, where the backup knows of a paid
        call without an answer, of a deployment, or of a job, that the state lacks.
        """
        self.lost, raw = None, self.read(BACKUP) or b""
        if not any(mark in raw for mark in PAID):
            return
        try:
            last = parse_state(raw, self.shown(BACKUP))
        except DecisionError:
            return  # it knows nothing for certain
        if last.forgotten_by(state):
            why = "is gone" if state is None else "is not the latest (is it from git?)"
            jobs = () if state is None else [one for key, one in last.jobs.items() if key not in state.jobs]
            what = "an unclear request to create a job, which may exist and cost money"
            if jobs:
                what = ", ".join(f"job {one.job_id}" for one in jobs)
            elif last.deployment is not None:
                what = f"deployment {last.deployment['deployment']}, which may cost money by the hour"
            raise DecisionError(
                f"{self.shown()} {why}, and its backup knows of {what}; no call was made",
                code="state_missing" if state is None else "state_older",
                file=self.shown(),
                hint="`ftrun state repair CONFIG` restores what the backup knows; the next run then looks "
                "for it.",
            )
        self.lost = last if state is None else None

    @contextmanager
    def locked(self, *, wait: bool) -> Iterator[None]:
        """Hold the run's lock; DecisionError (exit 4) names who holds it, `wait` waits for it instead."""
        from ftrun.state.locks import held  # a run with nothing to do needs none

        with held(self.folder / "run.lock", what="another run of this experiment is going on", wait=wait):
            yield


def state_bytes(state: State) -> bytes:
    """Return the file's content: sorted, indented JSON with a checksum over everything else."""
    data = hide_in(state.to_json())  # before the checksum, not after it
    data["checksum"] = digest(data)
    return (json.dumps(data, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def read_plain(path: Path) -> bytes | None:
    """Return a file's bytes, None where there is none; DecisionError where something else is in its place."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would block for ever
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise DecisionError(
            f"{path} is a symbolic link: writing it would change a file somewhere else",
            code="state_symlink",
            file=str(path),
            hint=f"Replace the link with the file itself, or delete it. {UNTOUCHED}",
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DecisionError(
            f"{path} is not a regular file",
            code="state_not_a_file",
            file=str(path),
            hint=f"Remove it, and restore the file itself. {UNTOUCHED}",
        )
    with os.fdopen(descriptor, "rb") as file:
        refuse_large(path, os.fstat(descriptor).st_size)
        return file.read()


def parse_state(raw: bytes, path: Path | str) -> State:
    """Return the state that `raw` holds, brought to today's version; DecisionError names `path`."""
    if any(raw.startswith(mark) or b"\n" + mark in raw for mark in CONFLICT):
        raise _conflict(path)
    try:
        data = json.loads(raw)
        version, claimed = data["version"], data.pop("checksum", None)
        if isinstance(version, int) and version > VERSION:
            raise _newer(path, version)
        if claimed != digest(data):
            raise _damaged(path, "was changed or cut: its checksum does not match")
        return State.from_json(upgraded(data))
    except FormError as error:
        raise _damaged(path, f"can't be used: {error}") from None
    except (ValueError, RecursionError):
        raise _damaged(path, "is not readable as a state") from None
    except (LookupError, TypeError, AttributeError) as error:
        raise _damaged(path, f"lacks a part ({error})") from error


def _newer(path: Path | str, version: int) -> DecisionError:
    return DecisionError(
        f"{path} has version {version}; this ftrun knows version {VERSION}",
        code="state_version",
        file=str(path),
        hint=f"Use the ftrun that wrote it, or a newer one. {UNTOUCHED}",
    )


def _conflict(path: Path | str) -> DecisionError:
    return DecisionError(
        f"{path} holds git's conflict markers: two clones ran this experiment",
        code="state_conflict",
        file=str(path),
        hint="Keep one side whole (`git checkout --ours` or `--theirs` with this file), then run again: jobs "
        f"of the other side are found at the target when they are needed. {UNTOUCHED}",
    )


def _damaged(path: Path | str, what: str) -> DecisionError:
    return DecisionError(
        f"{path} {what}; no call was made",
        code="state_damaged",
        file=str(path),
        hint="`ftrun state repair CONFIG` repairs it: from its backup, or by asking the target.",
    )
