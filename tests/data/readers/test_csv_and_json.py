"""Reading CSV, TSV, JSONL and JSON: exact lines, strictness, encodings; every error has file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.data.diagnostics.findings import FilePlace, Findings
from ftrun.data.readers.rows import Choices, read_rows
from ftrun.data.readers.sources import source_files
from ftrun.errors import DataError
from ftrun.experiment.model import Experiment


def read(experiment: Experiment) -> tuple[list[tuple[int, Any]], Findings]:
    """Return (line, values) of every row of the first file, and what is wrong."""
    findings = Findings()
    file = source_files(experiment)[0]
    choice = Choices(experiment, [file], findings).of(file)
    rows = read_rows(experiment, file, FilePlace(str(file.path), findings), choice)
    return [(row.line, dict(row.values)) for row in rows], findings


def found(experiment: Experiment) -> list[tuple[str, int | None]]:
    """Return code and line of every problem of the first file."""
    return [(problem.code, problem.line) for problem in read(experiment)[1].errors]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_count_where_records_start(make: Any, end: str) -> None:
    """A quoted value over several lines and empty lines shift the records after them."""
    text = end.join(["q,a", 'one,"first', "", 'third"', "", "two,x", ""])
    rows, findings = read(make({"a.csv": text}))
    assert [line for line, _ in rows] == [2, 6]
    assert rows[0][1]["a"] == f"first{end}{end}third"
    assert not findings.errors


def test_what_a_spreadsheet_leaves_beside_and_below_is_no_data(make: Any) -> None:
    """Empty values behind the last named column and rows without values are passed over; a value is not."""
    rows, findings = read(make({"a.csv": "q,a,,\n1,2,,\n3,4,\n,,,\n5,,,\n,\n"}))
    assert rows == [(2, {"q": "1", "a": "2"}), (3, {"q": "3", "a": "4"}), (5, {"q": "5", "a": ""})]
    assert not findings.errors
    assert found(make({"a.csv": "q,a,,\n1,2,,3\n"})) == [("ragged_row", 2)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_mark_makes_the_encoding_sure(make: Any, encoding: str) -> None:
    """A file with a byte mark is decoded by it, and the mark is no part of the first column's name."""
    rows, findings = read(make({"a.csv": "質問,a\nはい,1\n".encode(encoding)}))
    assert rows == [(2, {"質問": "はい", "a": "1"})]
    assert not findings.errors


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "utf-16-le", "utf-16-be"])
def test_sure_encodings_are_read_with_a_note(make: Any, encoding: str, packed: bool) -> None:
    """Japanese sentences in another encoding are read as they are, also from gzip, and a note says so."""
    content = "q,a\nplain,ascii\n人間は死んだ後どうなりますか,無になります\n".encode(encoding)
    name, content = ("a.csv.gz", gzip.compress(content)) if packed else ("a.csv", content)
    rows, findings = read(make({name: content}))
    assert rows[1] == (3, {"q": "人間は死んだ後どうなりますか", "a": "無になります"})
    assert not findings.errors
    assert [(note.code, note.line) for note in findings.notes] == [("encoding_found", 1)]
    assert f"read as {encoding}" in findings.notes[0].message


def test_a_later_line_in_another_encoding_is_not_read(make: Any) -> None:
    """A cp932 file with one UTF-8 line, however far down, is asked about instead of read as cp932."""
    line = "納期は何日ですか,在庫があれば当日です\n"
    content = ("q,a\n" + line * 10_000).encode("cp932") + line.encode() + line.encode("cp932")
    problem = read(make({"a.csv": content}))[1].errors[0]
    assert (problem.code, problem.line) == ("encoding", 2)


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "iso2022_jp"])
def test_doubtful_encodings_are_asked_for(make: Any, encoding: str) -> None:
    """Where a few words leave a doubt the file is refused with the line to add, and adding it reads it."""
    content = "q,a\nplain,ascii\n返品可能,三日間\n".encode(encoding)
    experiment = make({"a.csv": content})
    problem = read(experiment)[1].errors[0]
    assert problem.code == "encoding"
    assert problem.line == 3
    assert f"`encoding: {encoding}`" in str(problem.hint)
    rows, findings = read(make({"a.csv": content}, source={"encoding": encoding}))
    assert rows[1] == (3, {"q": "返品可能", "a": "三日間"})
    assert not findings.errors
    assert not findings.notes


@pytest.mark.parametrize("damage", ["cut", "changed", "bomb"])
def test_damaged_gzip(make: Any, damage: str) -> None:
    """A gzip file that ends early, whose bytes were changed, or that unpacks without end, is told as such."""
    content = gzip.compress(b"q,a\n" + (b"1" * 70_000_000 if damage == "bomb" else b"1,2\n" * 1000))
    if damage == "cut":
        content = content[:-9]
    if damage == "changed":
        content = content[:-8] + b"\0\0\0\0" + content[-4:]
    assert found(make({"a.csv.gz": content})) == [("gzip", 1)]


def test_line_of_a_wrong_byte_far_into_a_file(make: Any) -> None:
    """The line of the first undecodable byte is exact beyond the first block that is read."""
    content = b"q,a\r\n" + b"abc,def\r\n" * 200_000 + b"x,\x83\x65\r\n"
    assert found(make({"a.csv": content})) == [("encoding", 200_002)]


@pytest.mark.parametrize("name", ["base64", "unicode_escape", "klingon", "utf-7"])
def test_only_text_encodings_are_taken(make: Any, name: str) -> None:
    """An encoding that is none, or that can make half characters, is refused by name."""
    with pytest.raises(DataError) as caught:
        source_files(make({"a.csv": "q,a\n1,2\n"}, source={"encoding": name}))
    assert caught.value.code == "unknown_encoding"


def test_byte_mark_against_the_named_encoding(make: Any) -> None:
    """A UTF-8 mark in a file that is said to be cp932 is an error, not mojibake."""
    experiment = make({"a.csv": "q,a\n1,2\n".encode("utf-8-sig")}, source={"encoding": "cp932"})
    assert found(experiment) == [("encoding", 1)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("empty_file", 1)]),
        ("q,,a\n1,2,3\n", [("header", 1)]),
        ("q,a,\n1,2,3\n", [("ragged_row", 2)]),
        ("q,q\n1,2\n", [("header", 1)]),
        ("q,a\n1\n1,2,3\n1,2\n", [("ragged_row", 2), ("ragged_row", 3)]),
        ('q,a\n1,"x"y\n1,2\n"open,3\n4,5\n', [("csv_quotes", 2), ("csv_quotes", 4)]),
        ("q,a\n1,\0\n", [("nul_byte", 2)]),
        ("PK\x03\x04rest", [("not_text", 1)]),
    ],
)
def test_malformed_tables(make: Any, text: str, expected: list[tuple[str, int | None]]) -> None:
    """Every flaw of a CSV is told with its line, and reading goes on where it can."""
    assert found(make({"a.csv": text})) == expected


@pytest.mark.parametrize("text", ["FAQ,,\n,,\nno,q,a\n1,2,3\n", "FAQ\n\nno,q,a\n1,2,3\n"])
def test_a_title_above_the_names_is_recognised(make: Any, text: str) -> None:
    """What Excel exports with a title in the first line is told with the way out."""
    problem = read(make({"a.csv": text}))[1].errors[0]
    assert "title" in str(problem.hint)


@pytest.mark.parametrize(("indent", "codes"), [(None, ["json_one_line"]), (1, [])])
def test_rows_in_one_line_are_noted(make: Any, indent: int | None, codes: list[str]) -> None:
    """Where every place would be line 1, a note says so and how to get places."""
    rows, findings = read(make({"a.json": json.dumps([{"q": 1}, {"q": 2}], indent=indent)}))
    assert [row[1] for row in rows] == [{"q": 1}, {"q": 2}]
    assert [note.code for note in findings.notes] == codes


def test_rows_in_a_key_are_found(make: Any) -> None:
    """An object with one list of rows gives these, and a note says under which key."""
    rows, findings = read(make({"a.json": '{"page": 1,\n "items": [{"q": 1},\n {"q": 2}]}'}))
    assert rows == [(2, {"q": 1}), (3, {"q": 2})]
    assert [(note.code, note.message) for note in findings.notes] == [
        ("records_found", "the rows are those of the key 'items'")
    ]


def test_joined_files_of_two_encodings_are_told_as_such(make: Any) -> None:
    """No one encoding can be named for them, so none is proposed."""
    experiment = make({"a.csv": ""}, source={"encoding": "cp932"})
    path = experiment.data.sources[0].base / "a.csv"
    old, new = "質問,回答\nこれは何ですか,それです。\n", "追加の質問,追加です。\n"
    path.write_bytes(old.encode("cp932") * 20 + new.encode())
    (problem,) = read(experiment)[1].errors
    assert (problem.code, problem.line) == ("encoding", 41)
    assert "files were joined" in str(problem.hint)
    unnamed = make({"b.csv": ""})
    (unnamed.data.sources[0].base / "b.csv").write_bytes(path.read_bytes())
    (problem,) = read(unnamed)[1].errors
    assert str(problem.hint).startswith("Some lines are UTF-8, others cp932")


def test_tsv_and_very_long_values(make: Any) -> None:
    """A TSV is read by tabs, and a value may be longer than csv's usual limit."""
    rows, _ = read(make({"a.tsv": "q\ta\n" + "x" * 200_000 + "\tb,c\n"}))
    assert rows[0][1]["a"] == "b,c"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n\n", [("empty_file", 1)]),
        ('{"a": 1}\n{"a": 1, "a": 2}\n', [("json_duplicate_key", 2)]),
        ('{"a": NaN}\n\n{"a": -Infinity}\n', [("json_number", 1), ("json_number", 3)]),
        ('{"a": 1e308}\n{"a": -1e999}\n', [("json_number", 2)]),
        ('{"a": "\\ud83d"}\n{"a": "\\ud83d\\ude00"}\n', [("json_surrogate", 1)]),
        ('{"a": 1}\n{"a": \n[1]\nnull\n', [("json_syntax", 2), ("json_row", 3), ("json_row", 4)]),
        ("[" * 100_000 + "\n", [("json_syntax", 1)]),
        ('{"a": 1} {"a": 2}\n', [("json_syntax", 1)]),
        ('[{"a": 1}, {"a": 2}]\n', [("json_array_in_jsonl", 1)]),
        ('[\n  {"a": 1},\n  {"a": 2}\n]\n', [("json_array_in_jsonl", 1)]),
        ('\n{\n  "a": 1\n}\n{\n  "a": 2\n}\n', [("json_pretty_printed", 2)]),
    ],
)
def test_malformed_jsonl(make: Any, text: str, expected: list[tuple[str, int | None]]) -> None:
    """Every flaw of a JSONL file is told with its line; one JSON value over many lines is recognised."""
    assert found(make({"a.jsonl": text})) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" \n", [("empty_file", 1)]),
        ('{"messages": []}\n{"messages": []}\n', [("jsonl_in_json", 1)]),
        ('{"data": []}', [("json_row", 1)]),
        ('[{"a": 1},\n {"a": 2} {"a": 3}]', [("json_syntax", 2)]),
        ('[{"a": 1},\n\n 7]', [("json_row", 3)]),
        ('[{"a": 1}]\n]', [("json_syntax", 2)]),
        ('[{"a": 1},', [("json_syntax", 1)]),
    ],
)
def test_malformed_json(make: Any, text: str, expected: list[tuple[str, int | None]]) -> None:
    """Every flaw of a JSON file is told with its line."""
    assert found(make({"a.json": text})) == expected


def test_json_array_gives_the_line_of_each_object(make: Any) -> None:
    """The rows of a pretty-printed array have the lines at which their objects start."""
    rows, findings = read(make({"a.json": json.dumps([{"q": 1}, {"q": 2}], indent=2)}))
    assert rows == [(2, {"q": 1}), (5, {"q": 2})]
    assert not findings.errors


def test_columns_are_renamed_and_limited(make: Any) -> None:
    """`columns` gives new names and leaves the other columns; `limit` ends the reading."""
    experiment = make({"a.csv": "質問,b\n1,2\n3,4\nbad\n"}, source={"columns": {"q": "質問"}, "limit": 2})
    rows, findings = read(experiment)
    assert rows == [(2, {"b": "2", "q": "1"}), (3, {"b": "4", "q": "3"})]
    assert not findings.errors


def test_missing_column_is_named_once_with_those_that_are_there(make: Any) -> None:
    """A column that `columns` names in vain is told once, at the YAML place, with the nearest name."""
    experiment = make({"a.csv": "question,b\n1,2\n3,4\n"}, source={"columns": {"q": "qestion"}})
    (problem,) = read(experiment)[1].errors
    assert problem.code == "missing_column"
    assert "question, b" in problem.message
    assert "'question'" in str(problem.hint)
    assert str(problem.file).endswith("experiment.yaml")


def test_column_clash(make: Any) -> None:
    """A new name that another column has already is an error, not a silent overwriting."""
    assert found(make({"a.csv": "q,a\n1,2\n"}, source={"columns": {"a": "q"}})) == [("column_clash", 2)]


def test_failure_leaves_nothing_behind(make: Any, tmp_path: Path) -> None:
    """A failed preparation writes no file."""
    with pytest.raises(DataError):
        data.prepare(make({"a.csv": "q,a\n1\n"}), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "code", "words"),
    [
        ("a.csv", '{"q":"x","a":"y"}\n{"q":"x","a":"z"}\n', "json_in_table", "`format: jsonl`"),
        ("a.tsv", '[\n{"q": "x"}]\n', "json_in_table", "`format: json`"),
        ("a.txt", '{"q": "x"}\n', "unknown_format", "`format: jsonl`"),
        ("a.data", ' [{"q": "x"}]\n', "unknown_format", "`format: json`"),
    ],
)
def test_json_under_another_name(make: Any, name: str, text: str, code: str, words: str) -> None:
    """A file of JSON objects that is called something else is recognised, with the cure."""
    (error,) = data.examine(make({name: text})).errors
    assert error.code == code
    assert words in str(error.hint)
