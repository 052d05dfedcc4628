"""From sources to the files of a split: what is written, how it is divided, and what it depends on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrun import data
from ftrun.data.split.division import part_size
from ftrun.data.types import Prepared
from ftrun.errors import DataError
from ftrun.experiment.model import Experiment, Prompt, Source, Split, Template


def questions(folder: Path, role: str) -> list[str]:
    """Return the users' questions of a prepared file in order."""
    lines = (folder / f"{role}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["messages"][-2]["content"] for line in lines]


def test_files_keep_the_order_of_the_sources(make: Any, chats: Any, tmp_path: Path) -> None:
    """Globs are read in the order of names, sources in that of the file; hashes are of the bytes written."""
    files = {"d/b.jsonl": chats([3, 4]), "d/a.jsonl": chats([1, 2]), "first.jsonl": chats([0])}
    prepared = data.prepare(make(files, paths=["first.jsonl", "d/*.jsonl"]), tmp_path / "out")
    assert questions(tmp_path / "out", "train") == [f"質問{n}" for n in range(5)]
    train = prepared.files["train"]
    content = train.path.read_bytes()
    assert (train.bytes, train.examples) == (len(content), 5)
    assert train.sha256 == hashlib.sha256(content).hexdigest()
    assert Prepared.from_dict(json.loads(json.dumps(prepared.to_dict())), tmp_path / "out") == prepared


def test_duplicates_are_dropped_whatever_the_order_of_keys(make: Any, tmp_path: Path) -> None:
    """Equal messages count once, and `dedupe: off` keeps them."""
    rows = '{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}\n'
    turned = '{"messages":[{"content":"q","role":"user"},{"content":"a","role":"assistant"}]}\n'
    prepared = data.prepare(make({"a.jsonl": rows + turned}), tmp_path / "out")
    assert (prepared.rows, prepared.duplicates, prepared.dropped) == (2, 1, 1)
    assert prepared.files["train"].examples == 1
    kept = data.prepare(make({"a.jsonl": rows + turned}, dedupe="off"), tmp_path / "out")
    assert (kept.duplicates, kept.dropped, kept.files["train"].examples) == (1, 0, 2)


@pytest.mark.parametrize(
    ("share", "examples", "size"),
    [(0.1, 40, 4), (0.1, 45, 5), (0.1, 44, 4), (0.01, 12, 1), (0.145, 100, 15), (7, 40, 7), (0, 40, 0)],
)
def test_part_sizes(share: float, examples: int, size: int) -> None:
    """Shares round half up and give one example at least; whole numbers are counts."""
    assert part_size(share, examples) == size


@given(share=st.integers(1, 99).map(lambda percent: percent / 100), examples=st.integers(1, 5000))
def test_part_size_is_within_half_an_example(share: float, examples: int) -> None:
    """A part differs from its exact share by half an example at most, but is never empty."""
    size = part_size(share, examples)
    assert size >= 1
    assert abs(size - share * examples) <= 0.5 + 1e-9 or size == 1


def test_split_is_stable_when_rows_are_added(make: Any, chats: Any, tmp_path: Path) -> None:
    """Ten more rows among two hundred move few of the held-out ones, and the seed decides who they are."""
    split = Split(validation=0.1, test=0.1, seed=42)
    data.prepare(make({"a.jsonl": chats(range(200))}, split=split), tmp_path / "before")
    data.prepare(make({"a.jsonl": chats(range(-10, 200))}, split=split), tmp_path / "after")
    other = Split(validation=0.1, test=0.1, seed=7)
    data.prepare(make({"a.jsonl": chats(range(200))}, split=other), tmp_path / "other")
    for role in ("validation", "test"):
        before = set(questions(tmp_path / "before", role))
        assert len(before) == 20
        assert len(before & set(questions(tmp_path / "after", role))) >= 16
        assert before != set(questions(tmp_path / "other", role))
    parts = [set(questions(tmp_path / "before", role)) for role in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 200


def test_own_files_and_stale_ones(make: Any, chats: Any, tmp_path: Path) -> None:
    """Files of their own become validation and test; without a split, old held-out files are removed."""
    experiment = make(
        {"a.jsonl": chats(range(10)), "v.jsonl": chats([90]), "t.jsonl": chats([91])}, paths=["a.jsonl"]
    )
    validation, test = (
        (Source(path=f"{name[0]}.jsonl", base=tmp_path, key=("data", "split", name, 0)),)
        for name in ("validation", "test")
    )
    split = Split(validation=validation, test=test)
    out = tmp_path / "out"
    data.prepare(replace(experiment, data=replace(experiment.data, split=split)), out)
    assert questions(out, "validation") == ["質問90"]
    assert questions(out, "test") == ["質問91"]
    data.prepare(experiment, out)
    assert sorted(path.name for path in out.iterdir()) == ["sources.jsonl", "tally.json", "train.jsonl"]


def test_split_that_leaves_nothing_is_an_error_at_the_split(make: Any, chats: Any, tmp_path: Path) -> None:
    """Held-out counts that take everything are refused at `data.split`, and nothing is written."""
    experiment = make({"a.jsonl": chats(range(12))}, split=Split(validation=6, test=6))
    with pytest.raises(DataError, match="none of 12 rows") as caught:
        data.prepare(experiment, tmp_path / "out")
    assert (caught.value.code, caught.value.problem.line) == ("split_too_large", 20)


def inputs(experiment: Experiment) -> str:
    """Return the inputs as one text."""
    return json.dumps(data.prepare_inputs(experiment), sort_keys=True)


def test_inputs_know_content_not_names_or_times(make: Any, chats: Any, columns: Prompt) -> None:
    """A touched, renamed or moved file is no change; content, templates, split and options are."""
    experiment = make({"a.jsonl": chats(range(3))})
    before = inputs(experiment)
    path = experiment.project / "a.jsonl"
    os.utime(path, (1, 1))
    assert inputs(experiment) == before
    path.rename(experiment.project / "b.jsonl")
    source = replace(experiment.data.sources[0], path="b.jsonl")
    renamed = replace(experiment, data=replace(experiment.data, sources=(source,)))
    assert inputs(renamed) == before
    moved = experiment.project.with_name(experiment.project.name + "-moved")
    shutil.copytree(experiment.project, moved)
    there = replace(renamed.data, sources=(replace(source, base=moved),))
    assert inputs(replace(renamed, project=moved, data=there)) == before
    shutil.rmtree(moved)
    changes = [
        replace(renamed, prompt=Prompt(system=Template(text="x"))),
        replace(renamed, prompt=Prompt(dependencies="x")),
        replace(renamed, data=replace(renamed.data, split=Split(test=1))),
        replace(renamed, data=replace(renamed.data, dedupe="off")),
        replace(renamed, data=replace(renamed.data, sources=(replace(source, limit=2),))),
    ]
    assert len({before, *map(inputs, changes)}) == 6
    (experiment.project / "b.jsonl").write_text(chats(range(4)), "utf-8")
    assert inputs(renamed) != before


def test_missing_files_are_told_together_with_the_nearest_name(make: Any) -> None:
    """Every source that does not exist is a problem at its YAML place, with the name that was meant."""
    experiment = make({"data/hiroyuki.csv": "q,a\n1,2\n"}, paths=["data/hiroyki.csv", "dat/*.csv"])
    with pytest.raises(DataError) as caught:
        data.source_files(experiment)
    assert [(problem.code, problem.line) for problem in caught.value.problems] == [
        ("missing_file", 10),
        ("missing_file", 11),
    ]
    assert "hiroyuki.csv" in str(caught.value.problem.hint)


def test_nothing_outside_the_project_is_read(make: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Links out of the project, paths out of it, folders and pipes are refused by name."""
    outside = tmp_path_factory.mktemp("elsewhere") / "secret.csv"
    outside.write_text("q,a\n1,2\n")
    experiment = make({"a.csv": "q,a\n1,2\n"}, paths=["link.csv", str(outside), "folder", "pipe.csv"])
    (experiment.project / "link.csv").symlink_to(outside)
    (experiment.project / "folder").mkdir()
    os.mkfifo(experiment.project / "pipe.csv")
    with pytest.raises(DataError) as caught:
        data.source_files(experiment)
    codes = [problem.code for problem in caught.value.problems]
    assert codes == ["outside_project", "outside_project", "not_a_file", "not_a_file"]


def test_formats_of_later_versions_and_unknown_ones(make: Any) -> None:
    """An ending that this version can't read is refused; `format` helps where the ending says nothing."""
    experiment = make({"a.ods": "x", "a.txt": "q,a\n1,2\n"})
    with pytest.raises(DataError) as caught:
        data.source_files(experiment)
    assert [problem.code for problem in caught.value.problems] == ["other_table", "unknown_format"]
    named = make({"a.txt": "q,a\n1,2\n"}, source={"format": "csv"})
    assert data.source_files(named)[0].format == "csv"
