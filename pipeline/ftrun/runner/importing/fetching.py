"""Fetch what a provider has of its jobs: patiently, several calls at once, each file once.

A server, or the way to it, may lose or break any answer. So a call that may succeed later is tried again
with growing pauses, beyond what the SDK tries; the content of a file counts only if it has the size that the
server lists. What was fetched is stored under its content's hash before the journal says so: a later import,
also after a kill, takes it from there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ftrun.concurrency import StoppedError
from ftrun.errors import FtrunError
from ftrun.experiment.places import shown_path
from ftrun.files import atomic_writer, delete, digest, refuse_file, sha256_file, unsynced
from ftrun.runner.importing.writing import StoredFile
from ftrun.targets import TRANSIENT, Event, Job, NotFoundError, RemoteFile, Service, ServiceError
from ftrun.targets.service import NOT_ALLOWED

TRIES = 12  # of a call: with 30 % of all answers broken, one in two millions fails
MOST_IN_VAIN = 24  # calls that fail in a row, each after all its tries, until everything is given up
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 15.0  # seconds
LONGEST_ASKED = 120.0  # seconds that a server may ask to wait
MOST_EVENTS = 100_000  # of a job
MOST_LISTED = 100_000  # jobs or files of an account
LARGEST = 600_000_000  # bytes of a file; providers take up to 512 MB
LARGE = 64_000_000  # bytes: such files are read one after the other
LARGE_PAGE = 10_000  # files
JOURNAL = "files.jsonl"
PAGE = re.compile(rb"\s*<(?:!doctype|html|\?xml)", re.IGNORECASE)
Found = TypeVar("Found")


class Identified(Protocol):
    """What a server lists."""

    @property
    def id(self) -> str:
        """Return its id."""
        ...


Listed = TypeVar("Listed", bound=Identified)


class Patience:
    """Makes calls to a server that may fail for a while. `trying` counts those that are being tried again."""

    def __init__(self) -> None:
        self.trying = 0
        self._stopped = threading.Event()
        self._answered = time.monotonic()
        self._in_vain = 0  # calls that were given up since one was answered

    def stop(self) -> None:
        """Let no call begin or be tried again: they end with a StoppedError."""
        self._stopped.set()

    def renewed(self) -> Patience:
        """Return one that nobody has stopped."""
        return Patience() if self._stopped.is_set() else self

    def call(self, make: Callable[[], Found]) -> Found:
        """Return what a call returns, tried again as long as that can help; its last error otherwise.

        OutOfReachError if the server has answered no call at all meanwhile, or if call after call fails.
        """
        begun, tries = time.monotonic(), 0
        try:
            while True:
                if self._stopped.is_set():
                    raise StoppedError
                try:
                    found = make()
                except ServiceError as error:
                    if error.code not in TRANSIENT:
                        raise
                    tries += 1
                    self.trying += tries == 1
                    if tries == TRIES:
                        self._give_up(error, begun)
                    self._stopped.wait(_pause(tries, error.retry_after))
                else:
                    self._answered, self._in_vain = time.monotonic(), 0
                    return found
        finally:
            self.trying -= tries > 0

    def _give_up(self, error: ServiceError, begun: float) -> None:
        self._in_vain += 1
        silent = error.code == "unreachable" and self._answered < begun
        if silent or self._in_vain >= MOST_IN_VAIN:
            raise OutOfReachError(error) from error
        raise error

    def every(self, of: Callable[[str | None], Iterable[Listed]]) -> list[Listed]:
        """Return each entry of a list once; after a failure the rest of it, not all, is asked for again.

        `of` returns what follows the entry of an id, None: everything.
        """
        found: dict[str, Listed] = {}

        def read() -> None:
            while True:
                before = len(found)
                try:
                    for one in of(next(reversed(found), None)):
                        found.setdefault(one.id, one)
                        self._answered = time.monotonic()
                except ServiceError as error:
                    if error.code not in TRANSIENT or len(found) == before:
                        raise
                    if len(found) > MOST_LISTED:
                        raise EndlessListError(len(found)) from error
                else:
                    return

        self.call(read)
        return list(found.values())


def _pause(tries: int, asked: float | None) -> float:
    own = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (tries - 1))
    return max(own, min(asked or 0.0, LONGEST_ASKED))


class EndlessListError(FtrunError):
    """The server's list has no end."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the server's list has no end: more than {size:,} entries came",
            code="unreadable_answer",
            hint="Name the jobs to import instead of --all, or ask whoever runs the server.",
        )


class OutOfReachError(FtrunError):
    """The server no longer answers, however often it is asked."""

    def __init__(self, last: ServiceError) -> None:
        super().__init__(
            f"the server stopped answering ({last})",
            code="unreachable",
            hint="What was imported stays. Run the same command again when the server is back: it resumes.",
        )


@dataclass(slots=True, kw_only=True)
class Store:
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

    def read(self) -> Store:
        """Read the journal, and return the store; a line that a crash left incomplete is skipped."""
        try:
            lines = self.journal.read_bytes().splitlines()
        except FileNotFoundError:
            return self
        for line in lines:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                given = json.loads(line)
                self._noted.add(given["sha256"])
                if given.pop("origin") == self.origin:
                    one = StoredFile(**given)
                    self._known[one.file_id] = one
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to fetch: a `file` of the provider (its role says of what kind), or what a job has."""

    kind: str  # file, result, events, checkpoints
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of a task: a value, or why there is none. `gone`: the provider has no such thing, or does not
    give it; otherwise the job can't be imported.
    """

    value: Any = None
    error: FtrunError | None = None
    gone: bool = False


class Fetcher:
    """Does tasks, in any thread. `listed`: sizes and names of all files, where the server lists them."""

    def __init__(self, service: Service, patience: Patience, store: Store, *, look: bool) -> None:
        self._service, self._patience, self._store, self._look = service, patience, store, look
        self._listed: dict[str, RemoteFile] = {}
        self._large = threading.Lock()
        service.read_up_to(LARGEST)

    def list_files(self) -> None:
        """Note names and sizes of all files; a server without such a list is asked for each."""
        try:
            self._listed = {one.id: one for one in all_files(self._service, self._patience)}
        except ServiceError as error:
            if error.code in NOT_ALLOWED or isinstance(error, NotFoundError) or error.code == "refused":
                self._look = True
                return
            raise

    def do(self, task: Task) -> Fetched:
        """Do a task; raises what ends the whole import."""
        try:
            return Fetched(value=self._get(task))
        except NotFoundError as error:
            return Fetched(error=error, gone=True)
        except (ServiceError, EditedError, WrongContentError) as error:
            if error.code == "wrong_key":
                raise
            optional = task.kind in ("events", "checkpoints") and error.code == "unreadable_answer"
            return Fetched(error=error, gone=optional or error.code in ("forbidden", "refused"))
        except FtrunError as error:
            if error.code != "result_file":
                raise
            return Fetched(error=error, gone=True)

    def _get(self, task: Task) -> Any:
        if task.kind == "events":
            found = self._patience.call(lambda: self._service.events(task.id, newest=MOST_EVENTS))
            return [event_json(one) for one in found]
        if task.kind == "checkpoints":
            return [dict(one) for one in self._patience.call(lambda: self._service.checkpoints(task.id))]
        ending = ".csv" if task.kind == "result" else ".jsonl"
        return self._store.known(task.id, ending) or self._file(task, ending)

    def _file(self, task: Task, ending: str) -> StoredFile:
        file = self._about(task.id)
        large = file.bytes > LARGE
        with self._large if large else contextlib.nullcontext():
            content = self._patience.call(lambda: self._content(file))
            stored = _decoded(content) if task.kind == "result" else content
            return self._store.keep(file, content, stored, ending)

    def _about(self, file_id: str) -> RemoteFile:
        """Return what the server says of a file; a list may lack one that its content is still there of."""
        if file_id in self._listed:
            return self._listed[file_id]
        if self._look:
            with contextlib.suppress(NotFoundError):
                return self._patience.call(lambda: self._service.look_at_file(file_id))
        return RemoteFile(id=file_id, name="", bytes=0)

    def _content(self, file: RemoteFile) -> bytes:
        content = self._service.file_content(file.id)
        if file.bytes and len(content) != file.bytes:
            raise WrongContentError(file, f"has {len(content):,} bytes instead of {file.bytes:,}")
        if not file.bytes and PAGE.match(content):
            raise WrongContentError(file, "is a web page")
        return content


class WrongContentError(ServiceError):
    """What the server sends as a file's content can't be it."""

    def __init__(self, file: RemoteFile, why: str) -> None:
        name = f" ({file.name})" if file.name else ""
        super().__init__(
            f"what the server sends as file {file.id}{name} {why}",
            code="unreadable_answer",
            hint="The answers are cut or replaced on the way: run the same command again, or from another "
            "network.",
        )


def _decoded(content: bytes) -> bytes:
    """Return the table of a result file, decoded if it is base64."""
    from ftrun.targets.api.reading import decode_csv

    return decode_csv(content).encode()


def event_json(event: Event) -> dict[str, Any]:
    """Return an event as in `events --json`."""
    return {
        "id": event.id,
        "created_at": event.created_at,
        "level": event.level,
        "message": event.message,
        "data": dict(event.data),
    }


def all_jobs(service: Service, patience: Patience) -> list[Job]:
    """Return all jobs of the account."""
    return patience.every(lambda after: service.jobs(after=after))


def all_files(service: Service, patience: Patience) -> list[RemoteFile]:
    """Return all files; in pages as large as OpenAI's may be, or as every server has them."""
    with contextlib.suppress(ServiceError):
        return patience.every(lambda after: service.files(after=after, limit=LARGE_PAGE))
    return patience.every(lambda after: service.files(after=after))


def origin_of(identity: Mapping[str, Any]) -> str:
    """Return how the journal calls the account or store that ids are of."""
    return str(identity.get("store") or digest(dict(identity))[:16])


def clean(folder: Path, *, deep: bool = False) -> None:
    """Delete the unfinished files that a killed import left in a folder; `deep`: and in those below."""
    for path in folder.glob("**/.*.tmp" if deep else ".*.tmp"):
        if not path.is_symlink() and path.is_file():
            delete(path)
