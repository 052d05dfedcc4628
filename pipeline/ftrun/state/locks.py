"""The locks of a run: which file, who holds it, and the error for a second run.

The kernel releases a lock with its process, so none is ever stale.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from ftrun.errors import DecisionError, UserError
from ftrun.files import delete, file_lock, make_folder, real, write_json
from ftrun.user_dirs import user_folder
from ftrun.waiting import waiting

TO_WAIT = "Wait for it (`ftrun run --wait` does), or check `ftrun status CONFIG`."
FOLDER_FOR_ALL = "export FTRUN_LOCKS=…, a folder that every clone on this machine can write."


@contextmanager
def held(path: Path, *, what: str, wait: bool, hint: str = TO_WAIT) -> Iterator[None]:
    """Hold the lock file `path`; DecisionError (exit 4) names who holds it, `wait` waits for it instead.

    `what` is a clause such as `another run of this experiment is going on`, `hint` says what to do then.
    """
    import filelock  # costs 0.1 s, and a run with nothing to do needs no lock

    make_folder(path.parent)
    holder = path.with_suffix(".json")
    # a lock of another kind, by a file's existence, would outlive a killed run
    lock = file_lock(path, timeout=-1 if wait else 0, fallback_to_soft=False)
    try:
        with waiting(f"the lock {path}: {what} ({_who(holder)})") if wait else nullcontext():
            lock.acquire()
    except filelock.Timeout:
        raise DecisionError(
            f"{what} ({_who(holder)})",
            code="locked",
            file=str(path),
            hint=hint,
        ) from None
    except OSError as error:
        raise DecisionError(
            f"{path} can't be locked ({error.strerror}): two runs at once would not see each other; nothing "
            "was sent",
            code="no_lock",
            file=str(path),
            hint="Some network file systems have no locks: choose a folder of this machine (--runs-dir, "
            "FTRUN_RUNS_DIR; FTRUN_LOCKS for the locks of all clones).",
        ) from error
    try:
        write_json(holder, me())
        yield
    finally:
        delete(holder)
        lock.release()


@contextmanager
def held_by_user(key: str, *, what: str, wait: bool, hint: str = TO_WAIT) -> Iterator[None]:
    """Hold the lock `key` against all clones of this user on this machine; as `held`.

    DecisionError where this user has no folder for locks, as in a container without a home.
    """
    path = user_file(f"{key}.lock")
    try:
        make_folder(path.parent)
    except OSError as error:
        raise DecisionError(
            f"the folder for locks can't be made ({path.parent}: {error.strerror}); nothing was sent",
            code="no_lock_folder",
            hint=FOLDER_FOR_ALL,
        ) from error
    with held(path, what=what, wait=wait, hint=hint):
        yield


def user_file(name: str) -> Path:
    """Return a file that all clones share: in $FTRUN_LOCKS, else in the user's state folder."""
    named = os.environ.get("FTRUN_LOCKS")
    if named:
        return _absolute(named) / name
    try:
        return user_folder("FTRUN_LOCKS", "XDG_STATE_HOME", ".local/state") / "locks" / name
    except UserError as error:  # a container runs as a user that nobody knows
        raise DecisionError(
            "this user has no home, so there is no folder for locks; nothing was sent",
            code="no_lock_folder",
            hint=FOLDER_FOR_ALL,
        ) from error


def _absolute(named: str) -> Path:
    path = Path(named).expanduser()
    if path.is_absolute():
        return real(path)
    raise DecisionError(
        f"FTRUN_LOCKS={named} would be another folder for each clone; nothing was sent",
        code="no_lock_folder",
        hint="export FTRUN_LOCKS=/…, an absolute path.",
    )


def me() -> dict[str, str | int]:
    """Return who holds a lock: the facts of this process, for others."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": platform.node(), "folder": str(Path.cwd()), "since": since}


def _who(holder: Path) -> str:
    try:
        data = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {data['pid']} on {data['host']} in {data['folder']}, since {data['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "unknown process"
