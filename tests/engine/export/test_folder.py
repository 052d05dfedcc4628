"""ftrun.engine.export.folder: an export replaces nothing but an earlier export as it was written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ftrun.engine.export.folder import check_free, write_export
from ftrun.errors import DecisionError, UsageError

FACTS = {"model": "ft:x"}


def write(place: Path) -> None:
    """Write a file as a format would."""
    (place / "model.bin").write_bytes(b"weights")


def test_an_earlier_export_is_replaced(tmp_path: Path) -> None:
    """Missing, empty and unchanged folders take an export, and nothing is left beside it."""
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty", "new", "below/it"):
        assert write_export(tmp_path / name, FACTS, write) == {"model.bin": 7}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["below", "empty", "new"]
    assert [path.name for path in (tmp_path / "below").iterdir()] == ["it"]


@pytest.mark.parametrize(
    "change", ["a file more", "a file changed", "a word changed", "a folder more", "no manifest", "a file"]
)
def test_what_is_something_else_stays(tmp_path: Path, change: str) -> None:
    """A folder with anything that no export wrote is named with exit code 2, and stays as it is."""
    place = tmp_path / "place"
    if change == "a file":
        place.write_text("mine", encoding="utf-8")
    else:
        write_export(place, FACTS, write)
    match change:
        case "a file more":
            (place / "notes.txt").write_text("mine", encoding="utf-8")
        case "a file changed":
            (place / "model.bin").write_bytes(b"longer weights")
        case "a word changed":  # it has the same size
            (place / "model.bin").write_bytes(b"Weights")
            later = (place / "ftrun-export.json").stat().st_mtime_ns + 1
            os.utime(place / "model.bin", ns=(later, later))
        case "a folder more":
            (place / "mine").mkdir()
        case "no manifest":
            (place / "ftrun-export.json").unlink()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=str(place)) as caught:
        write_export(place, FACTS, write)
    assert caught.value.code == "folder_in_use"
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_link_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """The files would come to be elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    with pytest.raises(DecisionError, match="symbolic link"):
        check_free(tmp_path / "link")


def test_what_a_killed_export_left_is_deleted(tmp_path: Path) -> None:
    """A model is large, and nobody looks for hidden folders; one that is being written stays."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, other = (tmp_path / f".place.{number}.making" for number in (ended.pid, os.getppid()))
    for folder in (left, other):
        folder.mkdir()
        write(folder)
    write_export(tmp_path / "place", FACTS, write)
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "place"]


def test_a_failure_leaves_an_earlier_export(tmp_path: Path) -> None:
    """What can't be written whole changes nothing."""
    write_export(tmp_path / "place", FACTS, write)

    def fail(place: Path) -> None:
        write(place)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space") as caught:
        write_export(tmp_path / "place", FACTS, fail)
    assert caught.value.filename == str(tmp_path / "place")
    assert (tmp_path / "place" / "model.bin").read_bytes() == b"weights"
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
