"""Make what an import wrote durable, many files at once, and only then say that it is there.

Thousands of small files are written, and each fsync is a wait for the disk. So they are written without, and
one thread waits for the disk for all that were written meanwhile: then it adds to the journal which files are
stored, and gives the experiment files their names.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from ftrun.errors import DecisionError, FtrunError
from ftrun.experiment.places import shown_path
from ftrun.files import append_durably, delete, rename, sync_all, sync_folder

Item = TypeVar("Item")


class Committer(Generic[Item]):
    """The thread that does it. A context: on leaving it everything is durable, or it raises why not."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lines: deque[bytes] = deque()
        self._staged: deque[tuple[Item, Path, Path]] = deque()
        self._placed: deque[tuple[Item, FtrunError | None]] = deque()
        self._wake, self._ending = threading.Event(), False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="commits", daemon=True)

    def __enter__(self) -> Committer[Item]:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.finish(raises=kind is None)

    def finish(self, *, raises: bool = True) -> None:
        """Wait until everything is durable."""
        self._ending = True
        self._wake.set()
        self._thread.join()
        if raises and self._error is not None:
            raise self._error

    def note(self, line: bytes) -> None:
        """Add a line to the journal once what was written before is durable."""
        self._lines.append(line)
        self._wake.set()

    def place(self, item: Item, staged: Path, config: Path) -> None:
        """Let `staged` become `config` once what was written before is durable."""
        self._staged.append((item, staged, config))
        self._wake.set()

    def placed(self) -> list[tuple[Item, FtrunError | None]]:
        """Return the items whose files have their names by now, or why they have not."""
        if self._error is not None:
            raise self._error
        return _all(self._placed)

    def _work(self) -> None:
        try:
            while True:
                self._wake.wait()
                self._wake.clear()
                ending = self._ending  # what came before this is taken now
                self._commit()
                if ending:
                    return
        except BaseException as error:  # raised where the import waits for it
            self._error = error

    def _commit(self) -> None:
        lines, staged = _all(self._lines), _all(self._staged)
        if not lines and not staged:
            return
        sync_all()
        if lines:
            append_durably(self._journal, b"".join(lines))
        for item, path, config in staged:
            self._placed.append((item, _error_of(lambda path=path, config=config: put(path, config))))  # type: ignore[misc]
        for folder in {config.parent for _, _, config in staged}:
            sync_folder(folder)


def _all(queue: deque[Item]) -> list[Item]:
    return [queue.popleft() for _ in range(len(queue))]


def _error_of(call: Callable[[], None]) -> FtrunError | None:
    try:
        call()
    except FtrunError as error:
        return error
    return None


def put(staged: Path, config: Path) -> None:
    """Make the experiment's file appear, whole; DecisionError if somebody has put another there meanwhile."""
    if config.exists() or config.is_symlink():
        raise DecisionError(
            f"{shown_path(config)} was created by something else meanwhile",
            code="exists",
            file=shown_path(config),
            hint="Move it elsewhere, or import into another folder: --out DIR.",
        )
    rename(staged, config)


def clean(folder: Path, *, deep: bool = False) -> None:
    """Delete the unfinished files that a killed import left in a folder; `deep`: and in those below."""
    for path in folder.glob("**/.*.tmp" if deep else ".*.tmp"):
        if not path.is_symlink() and path.is_file():
            delete(path)
