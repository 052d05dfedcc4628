"""The calls about files: find, upload as a whole or in parts, read, delete."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import IO, Any

import httpx2
import openai

from ftrun.targets.api.connection import Connection, calling, every
from ftrun.targets.api.reading import decode_csv, file_of, part_of, upload_of
from ftrun.targets.errors import NotFoundError, get_or_none
from ftrun.targets.matching import fits_purpose, same_content
from ftrun.targets.service import RemoteFile, RemoteUpload

# seconds, plus the time that the bytes need at the least speed; a piece must be sent within a minute
UPLOAD_TIMEOUT = httpx2.Timeout(600.0, connect=10.0, write=60.0)
MIME_TYPE = "application/jsonl"
COMPLETE_TIMEOUT = httpx2.Timeout(1800.0, connect=10.0)  # seconds: the server joins gigabytes
PAGE = 100  # files in a page of a list; every server takes that
LEAST_LIFE = 3600  # seconds: a file that expires sooner is not used


class FileCalls(Connection):
    """The calls about files."""

    def find_file(self, name: str, size: int) -> RemoteFile | None:
        """Return a usable training file with this content, by name and size, if there is one.

        One that another experiment uploaded, or this one under an earlier name, will do as well.
        """
        other: RemoteFile | None = None
        with calling("looking for earlier uploads"):
            for file in self._files(purpose="fine-tune"):
                if file.bytes != size or not _usable(file) or not fits_purpose(file):
                    continue
                # a list may be late to show that a file was refused
                if file.name == name and (found := get_or_none(self.file, file.id)) is not None:
                    return found
                if other is None and same_content(file.name, name):
                    other = get_or_none(self.file, file.id)
        return other

    def files(self, *, after: str | None = None, limit: int = PAGE) -> Iterator[RemoteFile]:
        """Yield the files of this account, newest first, in pages of `limit`; `after`: those that follow this
        id.
        """
        with calling("listing files"):
            yield from self._files(limit=limit, **({} if after is None else {"after": after}))

    def _files(self, limit: int = PAGE, **filters: Any) -> Iterator[RemoteFile]:
        return map(file_of, every(self._client.files.list(limit=limit, **filters)))

    def file(self, file_id: str) -> RemoteFile:
        """Return the file; NotFoundError if the server doesn't have it or no job can use it."""
        found = self.look_at_file(file_id)
        if not _usable(found):
            raise NotFoundError(f"file {file_id} was refused or has expired", code="not_found")
        return found

    def file_content(self, file_id: str) -> bytes:
        """Return the bytes of a file."""
        with calling(f"reading file {file_id}"):
            return bytes(self._client.files.content(file_id, timeout=UPLOAD_TIMEOUT).read())

    def delete_file(self, file_id: str) -> None:
        """Delete a file."""
        with calling(f"deleting file {file_id}"):
            self._client.files.delete(file_id)

    def upload(self, source: IO[bytes], name: str) -> RemoteFile:
        """Upload what `source` holds under `name`, in one request that is sent once."""
        once = self._make_client(0)
        try:
            with calling(f"uploading {name}"):
                return file_of(
                    once.files.create(file=(name, source), purpose="fine-tune", timeout=UPLOAD_TIMEOUT)
                )
        finally:
            once.close()

    def look_at_file(self, file_id: str) -> RemoteFile:
        """Return the file as it is, even one that the server has refused; NotFoundError as for `file`."""
        with calling(f"looking at file {file_id}"):
            return file_of(self._client.files.retrieve(file_id))

    def result_csv(self, file_id: str) -> str:
        """Return the text of a result file, decoded if it is base64."""
        with calling(f"fetching the result file {file_id}"):
            return decode_csv(self._client.files.content(file_id, timeout=UPLOAD_TIMEOUT).read())


class UploadCalls(Connection):
    """The calls of the Uploads API. A part may arrive twice: `complete` lists those that count."""

    def begin_upload(self, name: str, size: int) -> RemoteUpload:
        """Announce a file of `size` bytes that will be uploaded in parts."""
        with calling(f"beginning to upload {name}"):
            return upload_of(
                self._client.uploads.create(
                    bytes=size, filename=name, mime_type=MIME_TYPE, purpose="fine-tune"
                )
            )

    def add_part(self, upload_id: str, data: bytes) -> str:
        """Send a part and return its id."""
        with calling("uploading a part"):
            return part_of(self._client.uploads.parts.create(upload_id, data=data, timeout=UPLOAD_TIMEOUT))

    def complete_upload(self, upload_id: str, parts: list[str], md5: str) -> RemoteFile:
        """Join the parts to a file, in this order; the server compares the MD5 (hex). Sent once."""
        once = self._make_client(0)
        try:
            with calling("completing an upload"):
                done = once.uploads.complete(upload_id, part_ids=parts, md5=md5, timeout=COMPLETE_TIMEOUT)
                return file_of(done.file)
        finally:
            once.close()

    def cancel_upload(self, upload_id: str) -> None:
        """Cancel an upload, if it still exists."""
        with calling("cancelling an upload"):
            try:
                self._client.uploads.cancel(upload_id)
            except (openai.NotFoundError, openai.BadRequestError):
                return


def _usable(file: RemoteFile) -> bool:
    gone = file.expires_at is not None and file.expires_at <= time.time() + LEAST_LIFE
    return not file.refused and not gone
