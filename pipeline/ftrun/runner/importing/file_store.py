"""The provider's files that were fetched, each under the hash of its content.

The journal says so only once that is durable: a later import, also after a kill, takes them from here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ftrun.errors import FtrunError
from ftrun.experiment.places import shown_path
from ftrun.files import atomic_writer, digest, refuse_file, sha256_file, unsynced
from ftrun.targets import RemoteFile

JOURNAL = "files.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of the provider that is stored here under its content's hash; `name` and `bytes` as there."""

    file_id: str
    sha256: str
    bytes: int
    name: str


@dataclass(slots=True, kw_only=True)
class FileStore:
    """The files that were fetched, each under the hash of its content. `origin` is the server and account
    that the ids are of. `note` is given a line for the journal when a file is written.
    """

    folder: Path
    journal: Path
    origin: str
    note: Callable[[bytes], None]
    _known: dict[str, StoredFile] = field(default_factory=dict)
    _noted: set[str] = field(default_factory=set)
    _storing: dict[str, threading.Lock] = field(default_factory=dict)

    def read(self) -> FileStore:
        """Read the journal, and return the store."""
        for origin, file in read_journal(self.journal):
            self._noted.add(file.sha256)
            if origin == self.origin:
                self._known[file.file_id] = file
        return self

    def path(self, sha256: str, ending: str) -> Path:
        """Return the path of the file with this content."""
        return self.folder / f"{sha256}{ending}"

    def known(self, file_id: str, ending: str) -> StoredFile | None:
        """Return the file if it was fetched before and is still here; EditedError if somebody edited it."""
        found = self._known.get(file_id)
        if found is None or not self.path(found.sha256, ending).exists():
            return None
        self.refuse_edited(self.path(found.sha256, ending))
        return found

    def refuse_edited(self, path: Path) -> None:
        """Raise EditedError if the content of a stored file is not what its name says."""
        refuse_file(path)
        if sha256_file(path) != path.stem:
            raise EditedError(path)

    def keep(self, file: RemoteFile, content: bytes, stored: bytes, ending: str) -> StoredFile:
        """Store what was fetched of a file, in any thread: `content` as it came, `stored` as it is kept."""
        sha = hashlib.sha256(stored).hexdigest()
        path = self.path(sha, ending)
        with self._storing.setdefault(sha, threading.Lock()), unsynced():  # two files may have one content
            if not path.exists():
                write_unchanged(path, stored)
            elif sha in self._noted:
                self.refuse_edited(path)
            elif sha256_file(path) != sha:  # a power cut took its end
                write_unchanged(path, stored)
        found = StoredFile(file_id=file.id, sha256=sha, bytes=len(content), name=file.name)
        self.note(json.dumps({**asdict(found), "origin": self.origin}).encode() + b"\n")
        return found


def read_journal(path: Path) -> Iterator[tuple[str, StoredFile]]:
    """Yield the files that a journal names, each with its origin; a line that a crash left incomplete is
    skipped.
    """
    try:
        lines = path.read_bytes().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            given = json.loads(line)
            yield given.pop("origin"), StoredFile(**given)


class EditedError(FtrunError):
    """A stored file was edited, so that it is no longer what its name says."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{shown_path(path)} was edited after the import: its content no longer has the hash in its name",
            code="edited_after_import",
            file=shown_path(path),
            hint="Give the edited file another name and use that in a copy of the experiment; then import "
            "again.",
        )


def write_unchanged(path: Path, content: bytes) -> None:
    """Write a provider's file byte for byte, also where it contains a key: it is what was trained on."""
    with atomic_writer(path) as file:
        file.write(content)


def origin_of(identity: Mapping[str, Any]) -> str:
    """Return how the journal calls the account or store that ids are of."""
    return str(identity.get("store") or digest(dict(identity))[:16])
