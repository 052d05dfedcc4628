"""The folder of an export: written beside its place and renamed when complete; nothing else is replaced.

Its manifest lists the files with their sizes. Only a folder that has exactly those files, or none, makes room
for a new export.
"""

from __future__ import annotations

import glob
import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ftrun.errors import UsageError
from ftrun.files import (
    delete_folder,
    make_folder,
    named_errors,
    refuse_links,
    rename,
    sync_folder,
    write_json,
)

MANIFEST = "ftrun-export.json"
TIP = "Name a new or empty folder with --to. An earlier export is only replaced if none of its files changed."


def check_free(folder: Path) -> None:
    """Raise UsageError unless `folder` is missing, empty, or an earlier export as it was written."""
    refuse_links(folder)
    known, until = _listed(folder)
    try:
        found = {path.name: _size(path, until) for path in folder.iterdir()}
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise UsageError(f"{folder} is not a folder", code="folder_in_use", hint=TIP) from error
    found.pop(MANIFEST, None)
    other = sorted(name for name in found if found[name] is None or found[name] != known.get(name))
    if other:
        raise UsageError(
            f"{folder} already has something else: {other[0]}",
            code="folder_in_use",
            hint=TIP,
        )


def write_export(folder: Path, facts: Mapping[str, Any], write: Callable[[Path], None]) -> dict[str, int]:
    """Let `write` fill a new folder, add the manifest with `facts`, and put it in the place of `folder`.

    Returns the bytes of each file. UsageError as `check_free`; if anything fails, nothing has changed.
    """
    check_free(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.making")
    _delete_left(folder)
    delete_folder(temporary)
    try:
        make_folder(temporary)
        with named_errors(folder):
            write(temporary)
        sizes = {path.name: path.stat().st_size for path in sorted(temporary.iterdir())}
        write_json(temporary / MANIFEST, {**facts, "files": sizes})
        check_free(folder)  # again: it took a while
        delete_folder(folder)
        rename(temporary, folder)
        sync_folder(folder.parent)
    finally:
        delete_folder(temporary)
    return sizes


def _listed(folder: Path) -> tuple[Mapping[str, Any], int]:
    """Return the files that the manifest in `folder` lists, with their bytes, and when it was written, in
    nanoseconds; none where there is none.
    """
    manifest = folder / MANIFEST
    try:
        listed, written = (
            json.loads(manifest.read_text(encoding="utf-8"))["files"],
            manifest.stat().st_mtime_ns,
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}, 0
    return (listed if isinstance(listed, dict) else {}), written


def _size(path: Path, until: int) -> int | None:
    """Return the bytes of a file; None for anything else, or if it was changed after `until`."""
    found = path.lstat()
    return found.st_size if stat.S_ISREG(found.st_mode) and found.st_mtime_ns <= until else None


def _delete_left(folder: Path) -> None:
    """Delete what exports to `folder` left that were killed."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*.making"):
        number = left.name.removesuffix(".making").rpartition(".")[2]
        if number.isdecimal() and not _runs(int(number)):
            delete_folder(left)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is another user's
        return True
    return True
