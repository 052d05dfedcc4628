"""What lies in `runs/` may come from anybody: of any size, depth or content, it is named and no bug."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.conftest import Inside

RUN = ("run", "configs/toy.yaml")
GARBAGE = (b"\xff\xfe\n", b"\0" * 50, b"[" * 100_000, b"null\n", b'{"a": "\\ud800"}\n', b"1" * 5000, b"")
KEPT = ("answers.jsonl", "answers.cache.jsonl", "scores.json", "metrics.csv", "check.json", "tally.json")


def test_garbage_in_the_files_of_a_run_is_no_bug(inside: Inside, project: Path) -> None:
    """Whatever stands in what a run wrote, no command ends with exit code 3."""
    assert inside(*RUN)[0] == 0
    folder = project / "runs/toy/local"
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for garbage in GARBAGE:
        for words in (
            (*RUN, "--force", "evaluate"),
            (*RUN, "--force", "report"),
            ("data", "configs/toy.yaml", "--diff"),
            ("history", "configs/toy.yaml"),
            ("compare", "configs/toy.yaml"),
        ):
            for path, data in kept.items():
                named = path.name in (*KEPT, "train.jsonl", "sources.jsonl", "model.json")
                path.write_bytes(garbage if named else data)
            (project / "runs/.gitignore").write_bytes(garbage)
            code, _out, error = inside(*words)
            assert code in (0, 1, 2, 4), (garbage[:10], words, error)


@pytest.mark.parametrize("name", ["toy/local/state.json", "toy/local/history/new.json", ".gitattributes"])
def test_a_file_of_any_size_is_not_read_whole(inside: Inside, project: Path, name: str) -> None:
    """A file larger than ftrun keeps any is named, and not read: exit code 4."""
    path = project / "runs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(10**12)
    code, _out, error = inside(*RUN)
    assert code == 4
    assert "bytes; ftrun creates none larger than" in error


def test_a_name_of_a_data_file_may_be_no_text(inside: Inside, project: Path) -> None:
    """A file name in another encoding than UTF-8 is shown as an escape; rows are found by it."""
    data = project / "configs/data/toy.csv"
    data.rename(os.fsdecode(os.fsencode(data.parent) + b"/\xff.csv"))
    config = project / "configs/toy.yaml"
    config.write_text(config.read_text().replace("data/toy.csv", "data/*.csv"), encoding="utf-8")
    assert inside(*RUN)[0] == 0
    assert inside("data", "configs/toy.yaml", "--diff")[0] == 0


def test_folders_in_folders_have_an_end(inside: Inside, project: Path) -> None:
    """A folder nested deeper than any that ftrun creates is named: exit code 4."""
    (project / "runs/toy/local" / "/".join("a" * 200)).mkdir(parents=True)
    code, _out, error = inside(*RUN)
    assert code == 4
    assert "nested deeper than any that ftrun creates" in error
