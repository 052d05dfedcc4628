"""The folder of an export: written beside its place and renamed when complete; nothing else is replaced.

Its manifest lists the files with their sizes. Only a folder that has exactly those files, or none, makes room
for a new export.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ftrun.errors import UsageError
from ftrun.files import delete_folder, make_folder, named_errors, rename, sync_folder, write_json

MANIFEST = "ftrun-export.json"
TIP = "Name a new or empty folder with --to. An earlier export is only replaced if none of its files changed."


def check_free(folder: Path) -> None:
    """Raise UsageError unless `folder` is missing, empty, or an earlier export as it was written."""
    try:
        found = {path.name: path.stat().st_size if path.is_file() else None for path in folder.iterdir()}
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise UsageError(f"{folder} is not a folder", code="folder_in_use", hint=TIP) from error
    found.pop(MANIFEST, None)
    known = _listed(folder)
    other = sorted(name for name in found if found[name] is None or found[name] != known.get(name))
    if other:
        raise UsageError(
            f"{folder} already has something else: {other[0]}",
            code="folder_in_use",
            file=str(folder),
            hint=TIP,
        )


def write_export(folder: Path, facts: Mapping[str, Any], write: Callable[[Path], None]) -> dict[str, int]:
    """Let `write` fill a new folder, add the manifest with `facts`, and put it in the place of `folder`.

    Returns the bytes of each file. UsageError as `check_free`; if anything fails, nothing has changed.
    """
    check_free(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.making")
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


def _listed(folder: Path) -> Mapping[str, Any]:
    """Return the files that the manifest in `folder` lists, with their bytes; none where there is none."""
    try:
        listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return listed if isinstance(listed, dict) else {}
