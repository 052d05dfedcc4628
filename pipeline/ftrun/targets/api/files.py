"""Owns the calls about files: finding, uploading, and the text of result files."""

from __future__ import annotations

import time
from pathlib import Path

import httpx2
import openai

from ftrun.errors import FtrunError
from ftrun.targets.api.connection import Connection
from ftrun.targets.api.reading import decode_csv
from ftrun.targets.failures import as_error
from ftrun.targets.service import RemoteFile

UPLOAD_TIMEOUT = httpx2.Timeout(1800.0, connect=10.0)  # seconds
FILE_WAIT = 600.0  # seconds until an uploaded file must be usable
MOST_FILES = 100_000  # a cursor that doesn't move must not loop for ever
UNUSABLE_FILE = ("error", "deleted")


class FileCalls(Connection):
    """The calls about files."""

    def find_file(self, name: str, size: int) -> RemoteFile | None:
        """Return a usable training file of that name and size in bytes, if there is one."""
        try:
            for number, found in enumerate(self._client.files.list(purpose="fine-tune", limit=100)):
                usable = found.status not in UNUSABLE_FILE and not _expired(found.expires_at)
                if found.filename == name and found.bytes == size and usable:
                    return RemoteFile(id=found.id, name=found.filename, bytes=found.bytes)
                if number > MOST_FILES:
                    break
        except openai.OpenAIError as error:
            raise as_error(error, "looking for earlier uploads") from error
        return None

    def file(self, file_id: str) -> RemoteFile | None:
        """Return the file, or None when the server doesn't have it."""
        try:
            found = self._client.files.retrieve(file_id)
        except openai.NotFoundError:
            return None
        except openai.OpenAIError as error:
            raise as_error(error, f"looking at file {file_id}") from error
        if found.status in UNUSABLE_FILE:
            return None
        return RemoteFile(id=found.id, name=found.filename, bytes=found.bytes)

    def upload(self, path: Path, name: str) -> RemoteFile:
        """Upload the bytes of `path` under `name` and wait until the server can use them."""
        once = self._make_client(0)
        try:
            with path.open("rb") as file:
                made = once.files.create(file=(name, file), purpose="fine-tune", timeout=UPLOAD_TIMEOUT)
        except (openai.OpenAIError, ValueError) as error:
            raise as_error(error, f"uploading {name}") from error
        finally:
            once.close()
        if not isinstance(getattr(made, "id", None), str):
            raise FtrunError(f"uploading {name}: the server's answer names no file", code="unreadable_answer")
        self._wait_until_usable(made.id, name)
        return RemoteFile(id=made.id, name=name, bytes=path.stat().st_size)

    def _wait_until_usable(self, file_id: str, name: str) -> None:
        deadline = time.monotonic() + FILE_WAIT
        pause = 0.2
        while True:
            try:
                found = self._client.files.retrieve(file_id)
            except openai.OpenAIError as error:
                raise as_error(error, f"waiting for {name}") from error
            if found.status == "error":
                raise FtrunError(
                    f"the server refused {name}: {found.status_details or 'no reason given'}",
                    code="file_refused",
                )
            if found.status in ("processed", "uploaded", None):
                return
            if time.monotonic() > deadline:
                raise FtrunError(f"{name} was not usable after {FILE_WAIT:.0f} s", code="file_not_ready")
            time.sleep(pause)
            pause = min(pause * 2, 10.0)

    def result_csv(self, file_id: str) -> str:
        """Return the text of a result file; base64 is undone."""
        try:
            content = self._client.files.content(file_id).read()
        except openai.OpenAIError as error:
            raise as_error(error, f"fetching the result file {file_id}") from error
        return decode_csv(content)


def _expired(expires_at: int | None) -> bool:
    return expires_at is not None and expires_at <= time.time() + 3600
