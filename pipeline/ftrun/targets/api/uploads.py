"""The calls that upload a file in parts: begin, add a part, complete, cancel."""

from __future__ import annotations

import httpx2
import openai

from ftrun.targets.api.connection import Connection, calling
from ftrun.targets.api.files import UPLOAD_TIMEOUT
from ftrun.targets.api.reading import file_of, part_of, upload_of
from ftrun.targets.service import RemoteFile, RemoteUpload

MIME_TYPE = "application/jsonl"
COMPLETE_TIMEOUT = httpx2.Timeout(1800.0, connect=10.0)  # seconds: the server puts gigabytes together


class UploadCalls(Connection):
    """The calls of the Uploads API. A part that arrives twice does no harm: `complete` names what counts."""

    def begin_upload(self, name: str, size: int) -> RemoteUpload:
        """Announce a file of `size` bytes that will come in parts."""
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
        """Make a file of the parts, in this order; the server compares the MD5 (hex). Sent once."""
        once = self._make_client(0)
        try:
            with calling("completing an upload"):
                done = once.uploads.complete(upload_id, part_ids=parts, md5=md5, timeout=COMPLETE_TIMEOUT)
                return file_of(done.file)
        finally:
            once.close()

    def cancel_upload(self, upload_id: str) -> None:
        """Give an upload up; one that is gone already is fine."""
        with calling("cancelling an upload"):
            try:
                self._client.uploads.cancel(upload_id)
            except (openai.NotFoundError, openai.BadRequestError):
                return
