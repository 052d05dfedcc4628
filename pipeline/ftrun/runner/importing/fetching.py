"""Fetch what a provider has of its jobs: patiently, several calls at once, each file once.

The content of a file counts only if it has the size that the server lists.
"""

from __future__ import annotations

import contextlib
import re
import threading
from dataclasses import dataclass
from typing import Any

from ftrun.errors import FtrunError
from ftrun.runner.importing.file_store import EditedError, FileStore, StoredFile
from ftrun.runner.importing.patience import Patience
from ftrun.targets import Job, NotFoundError, RemoteFile, Service, ServiceError
from ftrun.targets.service import NOT_ALLOWED

MOST_EVENTS = 100_000  # of a job
LARGEST = 600_000_000  # bytes of a file; providers take up to 512 MB
LARGE = 64_000_000  # bytes: such files are read one after the other
LARGE_PAGE = 10_000  # files
PAGE = re.compile(rb"\s*<(?:!doctype|html|\?xml)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchTask:
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

    def __init__(self, service: Service, patience: Patience, store: FileStore, *, look: bool) -> None:
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

    def do(self, task: FetchTask) -> Fetched:
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

    def _get(self, task: FetchTask) -> Any:
        if task.kind == "events":
            found = self._patience.call(lambda: self._service.events(task.id, newest=MOST_EVENTS))
            return [one.as_dict() for one in found]
        if task.kind == "checkpoints":
            return [dict(one) for one in self._patience.call(lambda: self._service.checkpoints(task.id))]
        ending = ".csv" if task.kind == "result" else ".jsonl"
        return self._store.known(task.id, ending) or self._file(task, ending)

    def _file(self, task: FetchTask, ending: str) -> StoredFile:
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


def all_jobs(service: Service, patience: Patience) -> list[Job]:
    """Return all jobs of the account."""
    return patience.every(lambda after: service.jobs(after=after))


def all_files(service: Service, patience: Patience) -> list[RemoteFile]:
    """Return all files; in pages as large as OpenAI's may be, or as every server has them."""
    with contextlib.suppress(ServiceError):
        return patience.every(lambda after: service.files(after=after, limit=LARGE_PAGE))
    return patience.every(lambda after: service.files(after=after))
