"""Excel workbooks: values as people see them, sheets, titles, formulas; only what is looked at can stop."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from ftrun import data
from ftrun.errors import DataError
from ftrun.experiment.model import Prompt, Split, Template

from .reading import FAQ, WHOLE, errors, read


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
    columns: dict[str, Any] = {key: "参照" if key == "stratify_by" else ("参照",)}
    split = Split(validation=0.5, **columns)
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
