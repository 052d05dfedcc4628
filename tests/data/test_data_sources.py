"""Workbooks, Parquet, Arrow, SQLite, databases and datasets: rows, places, and what is refused."""

from __future__ import annotations

import datetime
import decimal
import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pytest
from pyarrow import ipc, parquet

from ftrun import data
from ftrun.data.findings import Findings
from ftrun.data.place import FilePlace
from ftrun.data.rows import Choices, Row, read_rows
from ftrun.data.sources import usable_files
from ftrun.errors import DataError
from ftrun.experiment.model import Dataset, Experiment, Prompt, Split, Sql, Template

Rows = list[tuple[int, Any]]
WHOLE = Prompt(user=Template(text="{{ row | tojson }}"))  # every column matters
FAQ = [("納期は？", "三日です。"), ("返品は？", "七日以内です。"), ("支払は？", "カードです。")]


def read(experiment: Experiment) -> tuple[Rows, Findings]:
    """Return (line, values) of every row of all files, and what is wrong."""
    findings = Findings()
    found: list[Row] = []
    files = usable_files(experiment, findings)
    for file in files:
        choice = Choices(experiment, files, findings).of(file)
        found += read_rows(experiment, file, FilePlace(file.path.name, findings), findings, choice)
    return [(row.line, dict(row.values)) for row in found], findings


def errors(experiment: Experiment) -> list[tuple[str, int | None]]:
    """Return code and line of every problem."""
    return [(problem.code, problem.line) for problem in read(experiment)[1].errors]


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that saves a workbook with the given sheets, lists of rows by name."""

    def save(**sheets: list[list[Any]]) -> Path:
        made = openpyxl.Workbook()
        made.remove(made.worksheets[0])
        for name, rows in sheets.items():
            sheet = made.create_sheet(name)
            for row in rows:
                sheet.append(row)
        made.save(tmp_path / "a.xlsx")
        return tmp_path / "a.xlsx"

    return save


def test_workbook_values_and_rows(make: Any, book: Any) -> None:
    """Numbers, dates, blanks and empty rows come as people see them, at the sheet's own row numbers."""
    day = datetime.datetime(2026, 4, 1)
    book(FAQ=[[], ["質問", "回答", 2025.0], ["Ａ１", 1.0, 0.5], [], [None, day, day.replace(hour=9)], ["x"]])
    rows, findings = read(make({}, paths=["a.xlsx"]))
    assert rows == [
        (3, {"質問": "Ａ１", "回答": 1, "2025": 0.5}),
        (5, {"質問": "", "回答": "2026-04-01", "2025": "2026-04-01 09:00:00"}),
        (6, {"質問": "x", "回答": "", "2025": ""}),
    ]
    assert not findings.errors


def test_workbook_escapes_are_the_characters_they_stand_for(make: Any, book: Any) -> None:
    """Excel writes a carriage return as _x000D_, and a text that looks so with its first _ escaped."""
    book(FAQ=[["q", "a"], ["one_x000D_\ntwo", "_x005F_x000D_ max_x10_y"]])
    ((_, row),), _ = read(make({}, paths=["a.xlsx"]))
    assert row == {"q": "one\r\ntwo", "a": "_x000D_ max_x10_y"}


def test_workbook_sheets(make: Any, book: Any) -> None:
    """The only sheet with cells is read; of several one must be named, and a wrong name lists them."""
    book(One=[["q"], [1]], Empty=[])
    assert read(make({}, paths=["a.xlsx"]))[0] == [(2, {"q": 1})]
    book(One=[["q"], [1]], Two=[["q"], [2]])
    problem = read(make({}, paths=["a.xlsx"]))[1].errors[0]
    assert (problem.code, "One, Two" in problem.message) == ("sheet", True)
    assert read(make({}, paths=["a.xlsx"], source={"sheet": "Two"}))[0] == [(2, {"q": 2})]
    assert errors(make({}, paths=["a.xlsx"], source={"sheet": "Three"})) == [("sheet", None)]


def test_workbook_with_a_title_or_a_nameless_column(make: Any, book: Any) -> None:
    """A title above the names is one problem, and so is a column without a name, however many its cells."""
    book(FAQ=[["よくある質問"], [], ["番号", "質問", "回答"], [1, "x", "y"]])
    (problem,) = read(make({}, paths=["a.xlsx"]))[1].errors
    assert (problem.code, problem.line, "title" in str(problem.hint)) == ("header", 3, True)
    book(FAQ=[["q", "a"], ["x", "y", 1], ["z", "w", 2]])
    (problem,) = read(make({}, paths=["a.xlsx"], prompt=WHOLE))[1].errors
    assert (problem.code, problem.line) == ("value", 2)
    assert problem.message == "the column C has cells, but no name above them (in 2 rows)"


def test_workbook_cells_that_hold_no_value(make: Any, book: Any) -> None:
    """Formulas that nobody calculated, errors, merged cells and cells without a column are told by name."""
    path = book(FAQ=[["q", "a"], ["x", "=CONCAT(A2)"], ["y", "#N/A"], ["z", "1", "beyond"], ["m", "n"]])
    made = openpyxl.load_workbook(path)
    made["FAQ"].merge_cells("A5:B5")
    made.save(path)
    rows, findings = read(make({}, paths=["a.xlsx"], prompt=WHOLE))
    assert sorted((problem.code, problem.line) for problem in findings.errors) == [
        ("formula", 2),
        ("merged_cells", 5),
        ("value", 3),
        ("value", 4),
    ]
    assert "B2" in findings.errors[0].message
    assert [line for line, _ in rows] == [2, 5]


def odd_book(book: Any) -> None:
    """Write a workbook in which only the columns 質問 and 回答 are sound, and B5 is no value either."""
    sheet = [
        ["質問", "回答", "長さ", "参照", "分類"],
        ["x", "y", "=LEN(A2)", "z", "店"],
        ["x", "y", 1, "#N/A"],
    ]
    path = book(FAQ=[*sheet, ["x", "y", 1, "z", None, "a remark"], ["x", "#REF!", 1, "z"]])
    made = openpyxl.load_workbook(path)
    made["FAQ"].merge_cells("E2:E4")
    made.save(path)


@pytest.mark.parametrize(
    ("user", "source", "wrong"),
    [
        ("{{ 質問 }}", {}, []),
        ('{{ row["質問"] }}', {"columns": {"old": "長さ"}}, []),
        ("{{ 質問 }}{{ 長さ }}", {}, [("formula", 2)]),
        ("{{ 質問 }}{{ length }}", {"columns": {"length": "長さ"}}, [("formula", 2)]),
        ("{{ 質問 }}", {"where": "分類 != ''"}, [("merged_cells", 2)]),
        ("{{ 質問 }}", {"group_by": ("参照",)}, [("value", 3)]),
        ("{{ row.values() | join }}", {}, [("formula", 2), ("merged_cells", 2), ("value", 3), ("value", 4)]),
    ],
)
def test_only_columns_that_something_looks_at_can_stop(
    make: Any, book: Any, user: str, source: dict[str, Any], wrong: list[Any]
) -> None:
    """What is wrong in a column matters if a template, a condition or the grouping names the column."""
    odd_book(book)
    prompt = Prompt(user=Template(text=user), assistant=Template(text="{{ 回答 }}"))
    assert sorted(errors(make({}, paths=["a.xlsx"], source=source, prompt=prompt))) == [*wrong, ("value", 5)]


@pytest.mark.parametrize(("key", "line"), [("stratify_by", 3), ("group_by", 3)])
def test_columns_that_divide_the_rows_can_stop(make: Any, book: Any, key: str, line: int) -> None:
    """The columns of `data.split` are needed as those of templates are."""
    odd_book(book)
    split = Split(**{"validation": 0.5, key: "参照" if key == "stratify_by" else ("参照",)})
    assert errors(make({}, paths=["a.xlsx"], split=split)) == [("value", line)]


def test_included_templates_may_need_any_column(make: Any, book: Any, tmp_path: Path) -> None:
    """Where a template includes another, nobody knows which columns it needs, and all must be sound."""
    odd_book(book)
    (tmp_path / "more.j2").write_text("{{ 質問 }}")
    prompt = Prompt(user=Template(text="{% include 'more.j2' %}"), assistant=Template(text="{{ 回答 }}"))
    assert len(errors(make({}, paths=["a.xlsx"], prompt=prompt))) == 5


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0old", b"", b"q,a\n1,2\n"])
def test_what_is_no_workbook(make: Any, content: bytes) -> None:
    """A file that only bears the name is refused in one sentence."""
    assert errors(make({"a.xlsx": content})) == [("damaged", 1)]


def test_workbook_bomb(make: Any, tmp_path: Path) -> None:
    """A workbook that unpacks to far more than its size is refused before it is unpacked."""
    with (
        zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/workbook.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(260):
            part.write(bytes(1_000_000))
    assert errors(make({}, paths=["a.xlsx"])) == [("damaged", 1)]


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


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return an SQLite file with three questions and a column of other values."""
    path = tmp_path / "faq.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE faq (id INTEGER, q TEXT, a TEXT, extra)")
        extra = [None, 1.5, b"\xff"]
        connection.executemany(
            "INSERT INTO faq VALUES (?, ?, ?, ?)", [(n, *FAQ[n], extra[n]) for n in range(3)]
        )
    connection.close()
    return path


def test_sqlite(make: Any, database: Path) -> None:
    """A query gives rows by number; null stays null, binary values are told, the tables are named."""
    source = {"query": "SELECT q, a, extra FROM faq WHERE id < 2 ORDER BY id"}
    rows, findings = read(make({}, paths=["faq.sqlite"], source=source))
    assert rows == [
        (1, {"q": "納期は？", "a": "三日です。", "extra": None}),
        (2, {"q": "返品は？", "a": "七日以内です。", "extra": 1.5}),
    ]
    assert not findings.errors
    source = {"query": "SELECT extra FROM faq"}
    assert errors(make({}, paths=["faq.sqlite"], source=source, prompt=WHOLE)) == [("value", 3)]
    assert not errors(make({}, paths=["faq.sqlite"], source=source))
    problem = read(make({}, paths=["faq.sqlite"]))[1].errors[0]
    assert "faq" in problem.message
    assert "SELECT" in str(problem.hint)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM faq",
        "ATTACH DATABASE '/etc/passwd' AS other",
        "SELECT q, q FROM faq",
        "SELECT nothing FROM faq",
        "PRAGMA journal_mode = DELETE",
        "SELECT load_extension('x')",
    ],
)
def test_sqlite_only_reads(make: Any, database: Path, query: str) -> None:
    """Whatever else a query wants, it is refused and the file stays as it was."""
    before = database.read_bytes()
    (found,) = errors(make({}, paths=["faq.sqlite"], source={"query": query}))
    assert found[0] in ("query", "header")
    assert database.read_bytes() == before


def test_what_sqlite_has_not_put_into_the_file_yet_counts(make: Any, database: Path) -> None:
    """A row that is only in the write-ahead log is read, and changes the inputs."""
    experiment = make({}, paths=["faq.sqlite"], source={"query": "SELECT q, a FROM faq"})
    before = data.prepare_inputs(experiment)
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("INSERT INTO faq VALUES (9, '送料は？', '無料です。', NULL)")
    connection.commit()
    assert len(read(experiment)[0]) == 4
    assert data.prepare_inputs(experiment) != before
    connection.close()


SECRET = "canary-password"


def of_database(make: Any, query: str, variable: str = "FAQ_DB") -> Experiment:
    """Return an experiment over one query to the server that $FAQ_DB names."""
    source = {"path": None, "sql": Sql(url_env=variable, query=query)}
    experiment: Experiment = make({}, paths=["unused"], source=source)
    return experiment


def test_database(make: Any, database: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rows come in the query's order; without one, in an order of their own that does not change."""
    monkeypatch.setenv("FAQ_DB", f"sqlite:///{database}")
    ordered = read(of_database(make, "SELECT q, a FROM faq ORDER BY id DESC -- not 12:30"))
    assert [row["q"] for _, row in ordered[0]] == [q for q, _ in reversed(FAQ)]
    orders = []
    for direction in ("ASC", "DESC"):
        with sqlite3.connect(database) as connection:
            connection.execute("CREATE TABLE again AS SELECT q, a FROM faq ORDER BY id " + direction)
            connection.execute("DROP TABLE IF EXISTS moved")
            connection.execute("ALTER TABLE again RENAME TO moved")
        connection.close()
        experiment = of_database(make, "SELECT q, a FROM moved")
        orders.append(([row for _, row in read(experiment)[0]], data.prepare_inputs(experiment)))
    assert orders[0] == orders[1]
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE moved SET a = 'anders'")
    connection.close()
    assert data.prepare_inputs(experiment) != orders[0][1]


@pytest.mark.parametrize(
    ("address", "query"),
    [
        ("", "SELECT 1"),
        (f"sqlite:////nowhere/{SECRET}.db", "SELECT 1"),
        (f"sqlite:///{{folder}}/{SECRET}.db", "SELECT nothing FROM nothing"),
        (f"sqlite:///{{folder}}/{SECRET}.db", "DELETE FROM faq"),
        (f"nodialect://user:{SECRET}@host/name", "SELECT 1"),
        (f"postgresql+nodriver://user:{SECRET}@host/name", "SELECT 1"),
        (f"{SECRET} is no address", "SELECT 1"),
    ],
)
def test_the_address_of_a_database_is_never_shown(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, query: str
) -> None:
    """Whatever goes wrong is told by the variable's name and in the database's words, without the address."""
    monkeypatch.setenv("FAQ_DB", address.format(folder=tmp_path))
    experiment = of_database(make, query)
    (problem,) = read(experiment)[1].errors
    with pytest.raises(DataError) as caught:
        data.prepare_inputs(experiment)
    for told in (problem, caught.value.problem):
        assert told.code == "sql"
        assert told.file == "$FAQ_DB"
        assert SECRET not in f"{told} {told.hint}"


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
    experiment = of_dataset(make, id="someone/faq", revision="0" * 40, split="train")
    (problem,) = read(experiment)[1].errors
    assert problem.code == "dataset"
    assert "folder" in str(problem.hint)
    assert data.prepare_inputs(experiment)["files"][0]["format"] == "hub"


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
    assert "pip install 'ftrun[data]'" in done.stdout
    assert "openpyxl" in done.stdout
    assert "pyarrow" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_whole_way_from_a_workbook(make: Any, book: Any, columns: Prompt, tmp_path: Path) -> None:
    """A workbook becomes training examples, and an empty answer names file and sheet row."""
    path = book(FAQ=[["q", "a"], *map(list, FAQ), ["blank", None]])
    experiment = make({}, paths=["a.xlsx"], prompt=columns)
    with pytest.raises(DataError) as caught:
        data.prepare(experiment, tmp_path / "out")
    assert (caught.value.problem.code, caught.value.problem.line) == ("empty_content", 5)
    made = openpyxl.load_workbook(path)
    made["FAQ"].delete_rows(5)
    made.save(path)
    assert data.prepare(experiment, tmp_path / "out").files["train"].examples == 3
