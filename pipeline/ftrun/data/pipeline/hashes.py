"""The SHA-256 of data files, taken once a process as long as a file does not change.

Half a gigabyte takes seconds to hash, and a run asks several times. Who must be sure of the very bytes (an
upload) hashes them itself.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from ftrun.files import sha256_file

SETTLED = 2_000_000_000  # nanoseconds: a file changed more recently may change again without a trace
Identity = tuple[int, int, int, int, int]
_known: dict[Identity, str] = {}


def data_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex; OSError if it can't be read."""
    before = path.stat()
    found = _known.get(_identity(before))
    if found is None:
        found = sha256_file(path)
        if time.time_ns() - max(before.st_mtime_ns, before.st_ctime_ns) > SETTLED:
            _known[_identity(before)] = found
    return found


def remember_hash(path: Path, sha256: str) -> None:
    """Take note of the hash of a file that we have just written."""
    _known[_identity(path.stat())] = sha256


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
