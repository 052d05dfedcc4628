"""Where a state can be kept outside the project: a shared folder, or an S3 bucket.

Only places that can create a file in one step, unless it exists, are supported: without that no lock is safe.
For a folder that is O_EXCL, for S3 a conditional PUT; a server that ignores the condition is detected.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from ftrun.errors import DecisionError, FtrunError, UsageError
from ftrun.files import delete, make_folder, named_errors, open_to_write, real, sync_folder, write_atomic
from ftrun.installation import install_extra
from ftrun.waiting import OverdueError, bounded, waiting

SCHEMES = ("file", "s3")
SECONDS = 45.0  # for one call to a bucket, the client's retries included
BUSY = (errno.EBUSY,)  # 409: somebody else is creating it right now
TAKEN = (errno.EEXIST, errno.EINVAL, *BUSY)  # EINVAL is what s3fs makes of 412 Precondition Failed


class Storage(Protocol):
    """A place for a few small files."""

    def shown(self, name: str) -> str:
        """Return a file's address, for messages."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, None where there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one, in one step; return whether it was written."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file, if it exists."""
        ...


class FolderStorage:
    """A folder that several machines see."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def shown(self, name: str) -> str:
        """Return the path."""
        return str(self._folder / name)

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, None where there is none."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        write_atomic(self._folder / name, data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one."""
        make_folder(self._folder)
        path = self._folder / name
        try:
            opened = open_to_write(path, "xb")
        except FileExistsError:
            return False
        with named_errors(path), opened as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self._folder)
        return True

    def delete(self, name: str) -> None:
        """Delete a file."""
        delete(self._folder / name)


class BucketStorage:
    """A prefix of an S3 bucket; account and endpoint are those of the usual AWS variables and files."""

    def __init__(self, url: str) -> None:
        try:
            import s3fs
        except ImportError:
            raise UsageError(
                f"a state at {url} needs the extra `remote`",
                code="no_extra",
                hint=install_extra("remote"),
            ) from None
        self._url = url
        self._files: Any = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)

    def shown(self, name: str) -> str:
        """Return the URL."""
        return f"{self._url}/{name}"

    def read(self, name: str) -> bytes | None:
        """Return an object's bytes, None where there is none."""
        with self._asking(name):
            try:
                return bytes(_bounded(lambda: self._files.cat_file(self.shown(name))))
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Put an object, whole or not at all."""
        with self._asking(name):
            _bounded(lambda: self._files.pipe_file(self.shown(name), data))

    def create(self, name: str, data: bytes) -> bool:
        """Put an object unless there is one; after a lost answer, check whether it was put."""
        with self._asking(name):
            try:
                _bounded(lambda: self._files.pipe_file(self.shown(name), data, mode="create"))
            except OSError as error:
                if error.errno not in TAKEN:
                    raise
                found = self.read(name)
                if found is None and error.errno not in BUSY:
                    raise
                return found == data
        return True

    def delete(self, name: str) -> None:
        """Delete an object."""
        with self._asking(name), contextlib.suppress(FileNotFoundError):
            _bounded(lambda: self._files.rm_file(self.shown(name)))

    @contextlib.contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        """Raise FtrunError for what the bucket's server or its client reports."""
        from botocore.exceptions import BotoCoreError

        try:
            with waiting(f"{self.shown(name)} at its bucket"):
                yield
        except OverdueError as error:
            raise FtrunError(
                f"{self.shown(name)}: no answer within {SECONDS:.0f} s",
                code="state_unreachable",
                hint="Check the network, and the endpoint in AWS_ENDPOINT_URL or the AWS files.",
            ) from error
        except (OSError, BotoCoreError) as error:
            raise FtrunError(
                f"{self.shown(name)}: {error}",
                code="state_unreachable",
                hint="Check the bucket and the credentials of the AWS variables.",
            ) from error


def _bounded(call: Callable[[], Any]) -> Any:
    """Return what a call to the bucket returns, within SECONDS: the client retries for minutes."""
    return bounded(call, SECONDS, cut=lambda: None)


def storage_at(url: str, *parts: str) -> Storage:
    """Return the storage at `url`, below it in `parts`; DecisionError where no lock can be safe."""
    scheme = urlsplit(url).scheme
    if scheme == "file":
        return FolderStorage(real(unquote(urlsplit(url).path)).joinpath(*parts))
    if scheme == "s3":
        return BucketStorage("/".join((url.rstrip("/"), *parts)))
    raise DecisionError(
        f"a state at {scheme}:// could not be locked safely; no call was made",
        code="state_place",
        hint=f"Use one of {', '.join(f'{known}://' for known in SCHEMES)}, or git for the state.",
    )
