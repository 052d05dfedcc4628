"""Workbooks, Parquet, Arrow, SQLite, databases and datasets: rows, places, and what is refused."""

from __future__ import annotations

import datetime
import decimal
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import ipc, parquet

from ftrun import data
from ftrun.errors import DataError
from ftrun.experiment.model import Dataset, Experiment

from .reading import errors, read


def table() -> pyarrow.Table:
    """Return three rows with every kind of value."""
    return pyarrow.table(
        {
            "q": ["納期は？", None, "x"],
            "price": pyarrow.array([decimal.Decimal("12.50"), decimal.Decimal("3.00"), None]),
            "at": [datetime.date(2026, 4, 1)] * 3,
            "n": [1.0, float("nan"), 2.5],
            "messages": [[{"role": "user", "content": "a", "name": None}]] * 3,
        }
    )


@pytest.mark.parametrize("kind", ["parquet", "arrow stream", "arrow file"])
def test_columnar_files(make: Any, tmp_path: Path, kind: str) -> None:
    """Null stays null, NaN is null, dates and exact decimals are text, absent keys of structs are absent."""
    name = "a.parquet" if kind == "parquet" else "a.arrow"
    if kind == "parquet":
        parquet.write_table(table(), tmp_path / name)
    else:
        new = ipc.new_stream if kind == "arrow stream" else ipc.new_file
        with new(str(tmp_path / name), table().schema) as writer:
            writer.write_table(table(), max_chunksize=2)
    rows, findings = read(make({}, paths=[name]))
    message = [{"role": "user", "content": "a"}]
    first = {"q": "納期は？", "price": "12.50", "at": "2026-04-01", "n": 1.0, "messages": message}
    assert rows[0] == (1, first)
    assert (rows[1][1]["q"], rows[1][1]["n"], rows[2][1]["price"], rows[2][0]) == (None, None, None, 3)
    assert not findings.errors


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"ARROW1", b"q,a\n", bytes(100)])
def test_what_is_no_columnar_file(make: Any, name: str, content: bytes) -> None:
    """A damaged file is refused in one sentence."""
    assert errors(make({name: content})) == [("damaged", 1)]


def save_splits(folder: Path, **splits: str) -> None:
    """Write Arrow files as `datasets` saves them, one row each."""
    for name, text in splits.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "state.json").write_text('{"_data_files": [{"filename": "data-0.arrow"}]}')
        rows = pyarrow.table({"q": [text]})
        with ipc.new_stream(str(folder / name / "data-0.arrow"), rows.schema) as writer:
            writer.write_table(rows)
    (folder / "dataset_dict.json").write_text(f'{{"splits": {list(splits)}}}'.replace("'", '"'))


def of_dataset(make: Any, **keys: str) -> Experiment:
    """Return an experiment over one dataset."""
    source = {"path": None, "dataset": Dataset(**keys)}
    experiment: Experiment = make({}, paths=["unused"], source=source)
    return experiment


def test_dataset_as_saved_to_disk(make: Any, tmp_path: Path) -> None:
    """A split is read from its Arrow files; without a name the splits are listed."""
    save_splits(tmp_path / "faq", train="一", test="二")
    assert read(of_dataset(make, path="faq", split="test"))[0] == [(1, {"q": "二"})]
    problem = read(of_dataset(make, path="faq"))[1].errors[0]
    assert (problem.code, "train, test" in problem.message) == ("dataset", True)


def test_dataset_as_files(make: Any, tmp_path: Path) -> None:
    """Names of files and folders say the split, and the card's list goes before them."""
    files = {
        "faq/data/train-00000-of-00002.jsonl": '{"q": 1}\n',
        "faq/data/train-00001-of-00002.jsonl": '{"q": 2}\n',
        "faq/dev/rows.csv": "q\n3\n",
        "faq/.cache/train.csv": "q\n4\n",
        "faq/LICENSE": "",
    }
    assert [row["q"] for _, row in read(with_files(make, files, path="faq", split="train"))[0]] == [1, 2]
    assert [row["q"] for _, row in read(of_dataset(make, path="faq", split="validation"))[0]] == ["3"]
    listed = "configs:\n- config_name: ja\n  data_files:\n  - {split: train, path: dev/*.csv}\n"
    listed += "- config_name: en\n  data_files: ../secret.csv\n"
    (tmp_path / "faq/README.md").write_text(f"---\n{listed}---\n# FAQ\n", "utf-8")
    assert [row["q"] for _, row in read(of_dataset(make, path="faq", config="ja"))[0]] == ["3"]
    problem = read(of_dataset(make, path="faq"))[1].errors[0]
    assert "ja, en" in problem.message
    assert errors(of_dataset(make, path="faq", config="en"))


def with_files(make: Any, files: dict[str, str], **keys: str) -> Experiment:
    """Write files and return an experiment over the dataset in them."""
    make(files)
    return of_dataset(make, **keys)


def test_nothing_outside_the_project(make: Any, tmp_path: Path) -> None:
    """A dataset that leads out of the project, or names a file there, is refused."""
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    save_splits(outside, train="秘密")
    (tmp_path / "link").symlink_to(outside)
    assert errors(of_dataset(make, path="link", split="train")) == [("outside_project", None)]
    assert errors(of_dataset(make, path="../" + outside.name, split="train")) == [("outside_project", None)]
    (tmp_path / "faq").mkdir()
    name = f"../../{outside.name}/train/data-0.arrow"
    (tmp_path / "faq/state.json").write_text(f'{{"_data_files": [{{"filename": "{name}"}}]}}')
    assert errors(of_dataset(make, path="faq")) == [("outside_project", None)]
    (tmp_path / "a.parquet").symlink_to(outside / "train" / "data-0.arrow")
    assert [code for code, _ in errors(make({}, paths=["a.parquet"]))] == ["outside_project"]


def test_dataset_of_the_hub_without_a_network(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What can't be downloaded is told with the way out, and the inputs need no network at all."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    experiment = of_dataset(make, id="someone/faq", revision="0" * 40, split="train")
    (problem,) = read(experiment)[1].errors
    assert problem.code == "dataset"
    assert "folder" in str(problem.hint)
    assert data.prepare_inputs(experiment)["files"][0]["format"] == "hub"


@pytest.mark.parametrize(
    ("endpoint", "name"), [("garbage", "a/b"), ("ftp://x", "a/b"), ("http://[::1", "../x")]
)
def test_what_the_hubs_client_refuses_is_told(
    make: Any, monkeypatch: pytest.MonkeyPatch, endpoint: str, name: str
) -> None:
    """Whatever its client raises at a name or an address, the dataset and the reason are named."""
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    problem = read(of_dataset(make, id=name, revision="0" * 40))[1].errors[0]
    assert (problem.code, f"{name} at" in problem.message) == ("dataset", True)


def test_dataset_of_the_hub_that_is_here(make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A dataset that was downloaded once is read without a network, from links into the download cache."""
    monkeypatch.setenv("FTRUN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    stored = tmp_path / "cache/datasets/datasets--someone--faq"
    snapshot = stored / "snapshots" / ("0" * 40) / "data"
    snapshot.mkdir(parents=True)
    (stored / "blobs").mkdir()
    (stored / "blobs/one").write_text('{"q": "納期は？"}\n', "utf-8")
    (snapshot / "test.jsonl").symlink_to("../../../blobs/one")
    experiment = of_dataset(make, id="someone/faq", revision="0" * 40)
    assert read(experiment)[0] == [(1, {"q": "納期は？"})]


@pytest.mark.parametrize(("key", "value"), [("sheet", "FAQ"), ("query", "SELECT 1"), ("encoding", "cp932")])
def test_keys_that_a_file_has_no_use_for_are_told(make: Any, key: str, value: str) -> None:
    """A sheet of a CSV or an encoding of Parquet would be ignored without a word."""
    name = "a.parquet" if key == "encoding" else "a.csv"
    with pytest.raises(DataError) as caught:
        data.source_files(make({name: "q,a\n1,2\n"}, source={key: value}))
    assert caught.value.code == "source_key" and f"`{key}`" in str(caught.value)


def test_a_folder_that_is_misspelt_is_named(make: Any, tmp_path: Path) -> None:
    """Where the folder of a glob does not exist, the one that is nearly called so is proposed."""
    (tmp_path / "parts").mkdir()
    with pytest.raises(DataError) as caught:
        data.source_files(make({}, paths=["part/*.csv"]))
    assert "Did you mean the folder" in str(caught.value.problem.hint)
    assert "parts" in str(caught.value.problem.hint)


def test_missing_packages_are_named_with_the_command(make: Any, tmp_path: Path) -> None:
    """Without the extra each format says in one sentence what to install."""
    (tmp_path / "toy.yaml").write_text(
        "version: 1\nname: toy\ndata: {sources: [{path: a.xlsx}, {path: a.parquet}]}\n", "utf-8"
    )
    (tmp_path / "a.xlsx").write_bytes(b"x")
    (tmp_path / "a.parquet").write_bytes(b"x")
    code = (
        "import sys, importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *a: None if name in ('pyarrow', 'openpyxl') else find(name, *a)\n"
        "from ftrun.cli import main\nmain(['check', 'toy.yaml'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 2
    assert f"{sys.executable} -m pip install " in done.stdout and "ftrun[" not in done.stdout
    assert "openpyxl" in done.stdout
    assert "pyarrow" in done.stdout
    assert "Traceback" not in done.stderr
