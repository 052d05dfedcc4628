"""Ten thousand malformed inputs (some hundreds in CI): each ends in rows, or in problems with their places.

Never in another exception. The seeds are fixed; what was ever found stays as an @example.
"""

from __future__ import annotations

import gzip
import io
import os
import sqlite3
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import ipc, parquet

from ftrun import data
from ftrun.errors import UserError
from ftrun.experiment.model import Experiment, Prompt

ALL = bool(os.environ.get("FTRUN_TEST_ALL"))
TEXTS = ("a.csv", "a.tsv", "a.jsonl", "a.json")


def fuzz(full: int) -> settings:
    """Return the settings for `full` inputs, a thirtieth of them in CI."""
    return settings(max_examples=full if ALL else full // 30, derandomize=True, database=None)


def outcome(experiment: Experiment, *, lines: bool) -> None:
    """Prepare the data; what is wrong names the file, with `lines` also the line, and a cure."""
    try:
        data.prepare(experiment, experiment.project / "out")
    except UserError as error:
        for problem in error.problems:
            assert problem.file, problem
            assert problem.line or not lines, problem
            assert problem.hint, problem


MARKS = (
    '"',
    ",",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "a",
    "質",
    "ｱ",
    "①",
    "{",
    "}",
    "[",
    "]",
    ":",
    "\0",
    "\ufeff",
    "\udcff",
)
WORDS = (
    *(
        "q,a\n",
        "q\ta\n",
        '{"q": "x", "a": "y"}\n',
        '{"messages": [{}]}\n',
        '"messages"',
        "\\ud800",
        "1e999",
        "NaN",
    ),
    *(
        "null",
        '{"messages": [{"role": "user", "content": "はい"}, {"role": "assistant", "content": "いいえ"}]}\n',
    ),
    *(
        '\x1b$B$"\x1b(B',
        "人間は死んだ後どうなりますか,無になります\n",
        "[" * 2000,
        "9" * 5000,
        "\u3000",
        "\u202e",
    ),
)
PIECES = st.lists(st.sampled_from((*MARKS, *WORDS)), max_size=25).map("".join)
ENCODINGS = ("utf-8", "cp932", "euc_jp", "utf-16", "utf-16-le", "utf-32", "iso2022_jp", "latin-1")


@st.composite
def text_files(draw: st.DrawFn) -> bytes:
    """Draw the bytes of a text file, mostly whole, in one or two encodings."""
    parts = [
        draw(PIECES).encode(draw(st.sampled_from(ENCODINGS)), "replace")
        if draw(st.booleans())
        else draw(PIECES).encode("utf-8", "surrogateescape")
        for _ in range(draw(st.integers(1, 2)))
    ]
    return b"".join(parts)


@fuzz(6000)
@given(content=text_files(), name=st.sampled_from(TEXTS))
@example(content=b"\xff\xfe", name="a.csv")
@example(content=b"\xff\xfe\0\xd8", name="a.jsonl")
@example(content=b"[" * 100_000, name="a.json")
def test_text(make: Any, columns: Prompt, content: bytes, name: str) -> None:
    """CSV, TSV, JSONL and JSON in every encoding, torn and mixed."""
    outcome(make({name: content}, prompt=columns), lines=True)


@fuzz(500)
@given(
    content=text_files(),
    name=st.sampled_from(TEXTS),
    encoding=st.sampled_from((*ENCODINGS, "utf-16-be", "cp1252")),
)
@example(content=b'""', name="a.csv", encoding="utf-16")
def test_text_with_a_named_encoding(
    make: Any, columns: Prompt, content: bytes, name: str, encoding: str
) -> None:
    """The same where the source says which encoding it is, right or wrong."""
    outcome(make({name: content}, prompt=columns, source={"encoding": encoding}), lines=True)


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[str, float, bytes]]:
    """Draw what happens to a file: at places from 0 to 1 bytes are changed, left out, put in, or cut off."""
    kinds = st.sampled_from(("change", "leave out", "put in", "cut"))
    one = st.tuples(kinds, st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4))
    return draw(st.lists(one, min_size=1, max_size=4))


def damaged(content: bytes, damage: Sequence[tuple[str, float, bytes]]) -> bytes:
    """Return `content` after all of `damage`."""
    for kind, where, new in damage:
        at = int(where * len(content))
        end = {"change": at + len(new), "leave out": at + len(new), "put in": at, "cut": len(content)}[kind]
        content = content[:at] + (new if kind in ("change", "put in") else b"") + content[end:]
    return content


ROWS = [("質問", "答え"), ("q2", "a2"), ("q3", "")]


def workbook() -> bytes:
    """Return a small workbook with text, numbers, a date, a formula and merged cells."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in [("q", "a"), *ROWS, (1.5, True), ("=1+1", None)]:
        sheet.append(row)
    sheet.merge_cells("A4:B4")
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def table() -> pyarrow.Table:
    """Return a small table with a nested column."""
    return pyarrow.table({"q": ["質問", None, "x"], "a": ["b", "c", "d"], "n": [[{"k": 1}], None, []]})


def columnar(kind: str) -> bytes:
    """Return the table as Parquet or Arrow."""
    sink = io.BytesIO()
    if kind == "parquet":
        parquet.write_table(table(), sink)
    else:
        with (ipc.new_stream if kind == "stream" else ipc.new_file)(sink, table().schema) as writer:
            writer.write_table(table())
    return sink.getvalue()


def database(folder: Path) -> bytes:
    """Return a small SQLite file."""
    path = folder / "made.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE faq (q TEXT, a TEXT)")
        connection.executemany("INSERT INTO faq VALUES (?, ?)", ROWS)
    connection.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return one sound file of each format."""
    return {
        "a.csv.gz": gzip.compress("q,a\n質問,答え\n".encode() * 50),
        "a.xlsx": workbook(),
        "a.parquet": columnar("parquet"),
        "stream.arrow": columnar("stream"),
        "file.arrow": columnar("file"),
        "a.sqlite": database(tmp_path_factory.mktemp("seed")),
    }


def test_the_files_that_are_damaged_are_sound(make: Any, whole: dict[str, bytes]) -> None:
    """Undamaged each of them but the workbook, which has a formula without a value, gives its rows."""
    prompt = Prompt()
    for name, content in whole.items():
        query = {"query": "SELECT q, a FROM faq"} if name == "a.sqlite" else {}
        with pytest.raises(UserError) as caught:
            data.prepare(make({name: content}, paths=[name], prompt=prompt, source=query), Path("out"))
        assert {problem.code for problem in caught.value.problems} <= {
            "no_templates",
            "formula",
            "merged_cells",
        }


@fuzz(2500)
@given(
    name=st.sampled_from(("a.csv.gz", "a.xlsx", "a.parquet", "stream.arrow", "file.arrow", "a.sqlite")),
    damage=damages(),
)
def test_damaged_files(
    make: Any, columns: Prompt, whole: dict[str, bytes], name: str, damage: list[tuple[str, float, bytes]]
) -> None:
    """Binary formats with bytes changed, left out, put in or cut off."""
    query = {"query": "SELECT q, a FROM faq"} if name == "a.sqlite" else {}
    content = damaged(whole[name], damage)
    outcome(make({name: content}, paths=[name], prompt=columns, source=query), lines=False)


@fuzz(1000)
@given(part=st.integers(0, 20), damage=damages())
def test_damaged_parts_of_a_workbook(
    make: Any, columns: Prompt, whole: dict[str, bytes], part: int, damage: list[tuple[str, float, bytes]]
) -> None:
    """A workbook that is a sound zip file of damaged XML."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole["a.xlsx"])) as old, zipfile.ZipFile(target, "w") as new:
        for number, name in enumerate(old.namelist()):
            content = old.read(name)
            chosen = number == part % len(old.namelist())
            new.writestr(name, damaged(content, damage) if chosen else content)
    outcome(make({"a.xlsx": target.getvalue()}, prompt=columns), lines=False)
