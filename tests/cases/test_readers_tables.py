"""Tables as people bring them: other separators, row numbers without a name, a title above the header."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from conftest import Ftrun
from ftrun.errors import ConfigError
from ftrun.experiment import build_experiment, read_document

from .drafts import CASES, drafted, init, pairs, refusal


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder, with a space and Japanese characters in its name, the current one."""
    folder = tmp_path / "新しい 仕事"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def table(rows: list[Any], mark: str = ",", **options: Any) -> str:
    """Return rows as a table."""
    text = io.StringIO()
    csv.writer(text, delimiter=mark, **options).writerows(rows)
    return text.getvalue()


HEAD = ("question", "answer")
COMMAS = [(f"How much, roughly, is {n}; in euros?", f"About {n},50; more or less.") for n in range(12)]


@pytest.mark.parametrize(
    ("name", "text", "keys"),
    [
        ("a.csv", table([HEAD, *COMMAS], ";"), ["separator"]),
        ("b.csv", table([HEAD, *COMMAS], "\t"), ["separator: tab"]),
        ("c.csv", table([HEAD, *COMMAS], "|"), ["separator"]),
        ("d.csv", "sep=;\r\n" + table([HEAD, *COMMAS], ";"), []),
        ("e.tsv", table([HEAD, *COMMAS], "\t"), []),
        ("f.tsv", table([HEAD, *COMMAS], ","), ["separator"]),
        ("g.txt", table([HEAD, *COMMAS], "\t"), ["format: csv", "separator: tab"]),
        ("h.txt", table([HEAD, *COMMAS], ","), ["format: csv"]),
        ("i.csv", table([HEAD, *COMMAS], ";", quoting=csv.QUOTE_ALL), ["separator"]),
        ("j.csv", table([("", *HEAD), *((n, *row) for n, row in enumerate(COMMAS))]), []),
        ("k.csv", table([("", *HEAD), *((n % 6, *row) for n, row in enumerate(COMMAS))]), []),
        ("l.csv", table([("", "", *HEAD), *((n // 3, n, *row) for n, row in enumerate(COMMAS))]), []),
        ("m.csv", table([("Unnamed: 0", *HEAD), *((n, *row) for n, row in enumerate(COMMAS))]), []),
        ("n.csv", table([(*HEAD, "", ""), *((*row, "", "") for row in COMMAS)]), []),
        ("o.csv", table([HEAD, *((*row, "") for row in COMMAS)], ";"), ["separator"]),
        (
            "p.csv",
            table([("", *HEAD, "", ""), *((n, *row, "", "") for n, row in enumerate(COMMAS))], ";"),
            ["separator"],
        ),
        ("q.tsv", table([("", *HEAD), *((n, *row) for n, row in enumerate(COMMAS))], "\t"), []),
        (
            "r.csv",
            "Questions of 2025,,\n,,\n" + table([("n", *HEAD), *((n, *r) for n, r in enumerate(COMMAS))]),
            ["header_row: 3"],
        ),
        ("s.csv", "Questions of 2025\n\n" + table([HEAD, *COMMAS], ";"), ["separator", "header_row: 3"]),
        ("t.csv", "Preguntas frecuentes;\n" + table([HEAD, *COMMAS], ";"), ["separator", "header_row: 2"]),
        ("u.tsv", "FAQ\nas of May\n" + table([HEAD, *COMMAS], "\t"), ["header_row: 3"]),
        ("v.csv", "\n\n" + table([HEAD, *COMMAS]), []),
        ("w.csv", ",,\n" + table([(*HEAD, ""), *((*row, "") for row in COMMAS)]), []),
        ("x.text", table([HEAD, *COMMAS], "|"), ["format: csv", "separator"]),
        ("y", table([HEAD, *COMMAS], ";"), ["format: csv", "separator"]),
    ],
)
def test_tables_are_drafted_and_read(
    capsys: pytest.CaptureFixture[str], name: str, text: str, keys: list[str]
) -> None:
    """What `init` drafts for a table in any dress gives the texts that are in it, with no key too many."""
    Path(name).write_bytes(text.encode("utf-8-sig"))
    draft, said = drafted(capsys, Path(name), "--name", "drafted")
    assert said == pairs(COMMAS)
    for key in keys:
        assert f"      {key}" in draft
    others = {"separator", "header_row", "format"} - {key.split(":")[0] for key in keys}
    assert not [key for key in others if f"      {key}:" in draft]


def test_excel_with_an_index_and_a_title(capsys: pytest.CaptureFixture[str]) -> None:
    """A merged title above the header gives `header_row`, and numbers without a name are passed over."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Questions of our guests"])
    sheet.append(["as of May"])
    sheet.merge_cells("A1:C1")
    sheet.append([])
    sheet.append([None, *HEAD])
    for number, row in enumerate(COMMAS):
        sheet.append([number, *row])
    book.save("faq.xlsx")
    draft, said = drafted(capsys, Path("faq.xlsx"))
    assert said == pairs(COMMAS)
    assert "      header_row: 4" in draft


@pytest.mark.parametrize(
    ("text", "words", "tip"),
    [
        ("a;b\tc\n1;2\t3\n4;5\t6\n", "semicolons and tabs", "`--separator ';'` or `--separator tab`"),
        (",score,answer\nhello,1,x\nworld,2,y\n", "column 1 of 3 has no name", "unique name"),
        ("question,,answer\na,note,b\nc,,d\n", "column 2 of 3 has no name", "unique name"),
        (",question,answer\n5,a,b\n3,c,d\n5,e,f\n3,g,h\n", "column 1 of 3 has no name", "unique name"),
    ],
)
def test_what_is_unclear_is_refused(
    capsys: pytest.CaptureFixture[str], text: str, words: str, tip: str
) -> None:
    """Two separators that do equally well, and content without a name, stop with what to do."""
    Path("a.csv").write_text(text, encoding="utf-8")
    message, hint = refusal(capsys, "a.csv")
    assert words in message
    assert tip in hint


def test_a_value_without_a_name_further_down_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Behind the lines that were looked at, a text in the column of row numbers is told at its line."""
    rows = [(n, f"question {n}", f"answer {n}") for n in range(400)]
    Path("a.csv").write_text(table([("", *HEAD), *rows, ("left", "q", "a")]), encoding="utf-8")
    message, _ = refusal(capsys, "a.csv")
    assert message == "column 1 has no name, but the value 'left'"


def test_both_ways_of_an_unclear_separator_work(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command of the tip drafts an experiment with the separator that it names."""
    rows = [(f"why {n};because {n}", f"thus {n}") for n in range(12)]
    Path("a.csv").write_text("question;reason\tanswer\n" + table(rows, "\t"), encoding="utf-8")
    assert "`--separator ';'` or `--separator tab`" in refusal(capsys, "a.csv")[1]
    init(capsys, "a.csv", "--separator", "tab", "--user", "question;reason", "--assistant", "answer")
    document = init(capsys, "a.csv", "--separator", ";", "--force")
    assert document["columns"]["user"] == "question"
    assert '      separator: ";"' in Path(document["file"]).read_text(encoding="utf-8")


def test_the_cases_run_on_a_rehearsal(project: Path, ftrun: Ftrun) -> None:
    """The semicolons of Excel in Spain go from the file to a tuned model without an edit."""
    rows = [(f"¿Cuánto cuesta el número {n}?", f"Cuesta {n},50; con impuestos.") for n in range(24)]
    text = "Preguntas de 2025;;\n" + table(
        [("", "Pregunta", "Respuesta"), *((n, *r) for n, r in enumerate(rows))], ";"
    )
    Path("preguntas.csv").write_text(text, encoding="utf-8-sig")
    document = ftrun.json("init", "preguntas.csv", "--user", "Pregunta", "--assistant", "Respuesta")
    rehearse = ("--set", "targets.local.model=rehearsal")
    assert not ftrun.json("check", document["file"], *rehearse)["errors"]
    assert ftrun.json("run", document["file"], *rehearse)["status"] == "done"


@pytest.mark.parametrize("mark", [";;", '"', "", "\\t"])
def test_a_separator_is_one_character(capsys: pytest.CaptureFixture[str], mark: str) -> None:
    """Anything but one character or `tab` is a usage error, on the command line and in the file."""
    Path("a.csv").write_text(table([HEAD, *COMMAS], ";"), encoding="utf-8")
    assert init(capsys, "a.csv", "--separator", mark, code=2)["error"]["code"] == "usage"
    text = f"version: 1\nname: a\ndata: {{sources: [{{path: a.csv, separator: '{mark}'}}]}}\n"
    Path("a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        build_experiment(read_document(Path("a.yaml")))


@pytest.mark.parametrize(("case", "count"), [("15-pandas-index", 12), ("16-semicolon", 13)])
def test_cases(capsys: pytest.CaptureFixture[str], case: str, count: int) -> None:
    """The tables that users reported are drafted and read whole."""
    file = next((CASES / case).iterdir())
    assert len(drafted(capsys, file)[1]) == count
