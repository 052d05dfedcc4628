"""Write, lock, delete and hash files, whatever their content.

Every file that ftrun writes is opened here. A repository may contain a symbolic link in place of any file or
folder, and writing through it would change a file elsewhere, such as a shell's startup file. So nothing is
written where the file is not a regular one, or where it or a folder above it is a link. Links that the user
chose (on the way to the project, --runs-dir, FTRUN_HOME, temporary files) are resolved by `real`, where that
choice is read. A test looks for any other way to write.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from ftrun.errors import DecisionError, FtrunError
from ftrun.redaction import hide_in_bytes

if TYPE_CHECKING:
    from filelock import FileLock

FLAGS = {
    "wb": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "xb": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "ab+": os.O_RDWR | os.O_CREAT | os.O_APPEND,
}
A_LINK = (errno.ELOOP, errno.EMLINK)  # how O_NOFOLLOW refuses a link; FreeBSD uses the latter
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space left: the disk, the quota, the largest file
LARGEST = 256_000_000  # bytes of a file that is read as a whole; a repository may contain one of any size
DEEPEST = 20  # levels of folders in a run's folder
AS_LARGE_AS_DATA = ("train.jsonl", "validation.jsonl", "test.jsonl", "sources.jsonl")  # read line by line
_later = threading.local()  # `unsynced`: whether this thread leaves it to others to sync
NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)  # from file systems that can't fsync a folder


@contextlib.contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Let an OSError in the block name `path`: a full disk raises one without it for an open file."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def is_disk_full(error: BaseException) -> bool:
    """Return whether an error says that there is no space left."""
    if isinstance(error, OSError):
        return error.errno in FULL
    return "No space left on device" in str(error)  # safetensors says it in words


@contextlib.contextmanager
def room_in(folder: Path | str) -> Iterator[None]:
    """Let the error of a full disk in the block name `folder`, which holds the block's unnamed files."""
    try:
        yield
    except OSError as error:
        if error.filename is None and is_disk_full(error):
            error.filename = str(folder)
        raise


@contextlib.contextmanager
def damage_reported(path: Path) -> Iterator[None]:
    """Let an error in the block, which reads what ftrun wrote, name `path` (a file or a folder)."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        kind = type(error).__name__
        raise FtrunError(
            f"{'a file in it' if path.is_dir() else 'it'} was changed since ftrun wrote it ({kind})",
            code="damaged_file",
            file=str(path),
            hint="Restore git's version, or create it again: `ftrun run CONFIG --force prepare`.",
        ) from error


def real(path: Path | str) -> Path:
    """Return the absolute `path` with all links resolved: for a path that the user chose."""
    return Path(os.path.realpath(path))  # resolve() raises a RuntimeError for links in a circle


def anchored(path: Path, root: Path) -> Path:
    """Return `path` with the links on the way to `root` resolved, and none below it."""
    return real(root) / path.relative_to(root) if path.is_relative_to(root) else path


def output_path(path: Path) -> Path:
    """Return the path to write to for a file named on the command line.

    Below the current folder, which may be someone else's repository, no link is followed; elsewhere the links
    of its folder are.
    """
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    return whole if whole.is_relative_to(Path.cwd()) else real(whole.parent) / whole.name


def refuse_links(path: Path) -> None:
    """Raise DecisionError where `path`, or a folder above it, is a symbolic link."""
    whole = os.fspath(path)  # as text: this runs several times for every file that is written
    ends = (place for place, letter in enumerate(whole) if letter == os.sep and place)
    for one in (*(whole[:end] for end in ends), whole):
        _refuse_link(one)


def _refuse_link(one: str) -> None:
    if os.path.islink(one):  # noqa: PTH114 - it raises nothing
        raise _refused(Path(one), "a symbolic link: writing there would change a file elsewhere")


def refuse_special_files(folder: Path, *, depth: int = DEEPEST) -> None:
    """Raise DecisionError for the first entry of `folder`, at any depth, that is neither a file nor a folder,
    or that is larger or deeper than anything that ftrun creates.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if depth == 0:
                    raise _refused(Path(entry.path), "a folder nested deeper than any that ftrun creates")
                refuse_special_files(Path(entry.path), depth=depth - 1)
            elif not entry.is_file(follow_symlinks=False):
                refuse_file(Path(entry.path))
            elif entry.name not in AS_LARGE_AS_DATA:
                refuse_large(Path(entry.path), entry.stat(follow_symlinks=False).st_size)


def refuse_large(path: Path, size: int) -> None:
    """Raise DecisionError if a file of `size` bytes is too large to be read as a whole."""
    if size > LARGEST:
        raise _refused(path, f"a file of {size:,} bytes; ftrun creates none larger than {LARGEST:,} here")


def refuse_file(path: Path) -> None:
    """Raise DecisionError if `path` is a link, is below one, or is something other than a regular file."""
    refuse_links(path.parent)
    _refuse_itself(path)


def _refuse_itself(path: Path) -> None:
    _refuse_link(str(path))
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _refused(path, f"{_kind(path)}, but ftrun keeps a file here")


def _kind(path: Path) -> str:
    return "a folder" if path.is_dir() else "a pipe, a socket or a device"


def _refused(path: Path, what: str) -> DecisionError:
    return DecisionError(
        f"this is {what}",
        code="not_a_file",
        file=str(path),
        hint="Did it come with the repository? Look at it first. Then delete it, or choose another folder "
        "(--runs-dir, FTRUN_RUNS_DIR), which may be a link.",
    )


def open_to_write(path: Path, how: Literal["wb", "xb", "ab+"], *, mode: int = 0o644) -> IO[bytes]:
    """Open a regular file for writing: `wb` from the start, `xb` a new one, `ab+` at its end.

    DecisionError if it is a link, is below one, or is not a regular file; never waits for a pipe or a device.
    """
    refuse_file(path)
    try:
        descriptor = os.open(path, FLAGS[how] | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
    except OSError as error:
        if error.errno in A_LINK:  # it was created after the check
            refuse_links(path)
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _refused(path, f"{_kind(path)}, but ftrun keeps a file here")
    return os.fdopen(descriptor, "rb+" if how == "ab+" else "wb")


def make_folder(path: Path, *, mode: int = 0o777) -> None:
    """Create a folder and those above it, unless they exist; DecisionError if one is a link."""
    refuse_links(path)
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True, mode=mode)


def rename(path: Path, new: Path) -> None:
    """Rename a file or folder; DecisionError if either path is a link or is below one."""
    refuse_links(path)
    if new.parent == path.parent:
        _refuse_link(str(new))
    else:
        refuse_links(new)
    path.replace(new)


def delete(path: Path) -> None:
    """Delete a file, if it exists; DecisionError if it is below a link."""
    refuse_links(path.parent)
    path.unlink(missing_ok=True)


def delete_folder(folder: Path) -> None:
    """Delete a folder and what is in it, as far as possible; DecisionError if it is below a link."""
    import shutil  # it loads three compressors

    refuse_links(folder.parent)
    shutil.rmtree(folder, ignore_errors=True)  # follows no link


def file_lock(
    path: Path, *, mode: int = 0o644, timeout: float = -1, fallback_to_soft: bool = True
) -> FileLock:
    """Return the lock on the file `path`, not acquired yet; DecisionError as for writing.

    `timeout` in seconds; negative: wait forever. `fallback_to_soft` is filelock's.
    """
    import filelock  # costs 0.1 s, and a run with nothing to do needs no lock

    refuse_file(path)
    return filelock.FileLock(path, mode=mode, timeout=timeout, fallback_to_soft=fallback_to_soft)


@contextlib.contextmanager
def unsynced() -> Iterator[None]:
    """Let no file that this thread writes in the block be fsynced: a power cut before `sync_all` takes them.

    Only Linux waits for the disk there; elsewhere they are fsynced as always.
    """
    _later.unsynced = sys.platform == "linux"
    try:
        yield
    finally:
        _later.unsynced = False


def _is_unsynced() -> bool:
    return getattr(_later, "unsynced", False)


def sync_all() -> None:
    """Make durable what was written so far, by any process: one wait for many files."""
    os.sync()


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, so that it survives a power cut."""
    if _is_unsynced():
        return
    with named_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in NO_FOLDER_SYNC:
                raise
        finally:
            os.close(descriptor)


def _sync(file: IO[bytes]) -> None:
    if not _is_unsynced():
        os.fsync(file.fileno())


@contextlib.contextmanager
def atomic_writer(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Yield a binary file that replaces `path` when the block succeeds, and is deleted when it fails.

    The temporary file is in the same folder; file and folder are fsynced. An OSError names `path`.
    """
    make_folder(path.parent)
    _refuse_itself(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with named_errors(path):
            with open_to_write(temporary, "wb", mode=mode) as file:
                yield file
                file.flush()
                _sync(file)
            rename(temporary, path)
    except BaseException:
        # a file system that became read-only keeps the temporary file; the first error is the one to report
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append_durably(path: Path, lines: bytes, *, mode: int = 0o644, drop_torn: bool = False) -> None:
    """Append lines, each with its line break, to `path`; once this returns they survive a power cut.

    A line that an earlier crash left incomplete gets its line break first, so that the new ones stay whole;
    with `drop_torn` it is removed.
    """
    with appended_durably(path, mode=mode, drop_torn=drop_torn) as append:
        append(lines)


@contextlib.contextmanager
def appended_durably(
    path: Path, *, mode: int = 0o644, drop_torn: bool = False
) -> Iterator[Callable[[bytes], None]]:
    """Yield a function that does so any number of times: the file is looked at once, and stays open. Without
    a line there is no file.
    """
    with contextlib.ExitStack() as stack:
        opened: list[IO[bytes]] = []

        def append(lines: bytes) -> None:
            created = not opened and not path.exists()
            with named_errors(path):
                if not opened:
                    make_folder(path.parent)
                    opened.append(stack.enter_context(open_to_write(path, "ab+", mode=mode)))
                    _end_torn_line(opened[0], drop=drop_torn)
                opened[0].write(hide_in_bytes(lines))
                opened[0].flush()
                os.fsync(opened[0].fileno())
            if created:
                sync_folder(path.parent)

        yield append


def _end_torn_line(file: IO[bytes], *, drop: bool) -> None:
    """Give a line that an earlier crash left incomplete its line break, or remove it."""
    size = file.seek(0, os.SEEK_END)
    if size == 0 or (file.seek(size - 1), file.read(1))[1] == b"\n":
        return
    if drop:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
    else:
        file.write(b"\n")


def write_atomic(path: Path, data: bytes | str, *, mode: int = 0o644) -> None:
    """Write `data` (text as UTF-8) to `path`, whole or not at all, with keys hidden.

    A lone surrogate, such as in a file name that is not text, becomes an escape that JSON reads back.
    """
    with atomic_writer(path, mode=mode) as file:
        raw = data.encode(errors="backslashreplace") if isinstance(data, str) else data
        file.write(hide_in_bytes(raw))


def write_json(path: Path, value: Any, *, mode: int = 0o644) -> None:
    """Write `value` as sorted, indented JSON, whole or not at all."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n", mode=mode)


def canonical_json(value: Any) -> bytes:
    """Return the canonical JSON of `value`, from which fingerprints are made (UTF-8, sorted, no spaces)."""
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def digest(value: Any) -> str:
    """Return the SHA-256 of `canonical_json(value)` in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex, reading it in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
