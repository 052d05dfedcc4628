"""`data --row` says which rule left a row out, and where that rule is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftrun.cli import main

ROWS = [f"質問{n}は何ですか？,答え{n}です。,{'x' if n % 2 else 'y'}" for n in range(12)]
NEAR = (
    "この商品の返品は、到着から三十日以内であれば、送料無料で受け付けています。お気軽にご連絡ください{0},"
    "はい。受付番号を控えてください。,x"
)


def _call(
    folder: Path, capsys: pytest.CaptureFixture[str], data: str, rows: list[str], *words: str
) -> tuple[int, str]:
    folder.joinpath("rows.csv").write_text("q,a,kind\n" + "\n".join(rows) + "\n", encoding="utf-8")
    folder.joinpath("toy.yaml").write_text(
        f"version: 1\nname: toy\ndata:\n{data}\nprompt: {{user: '{{{{ q }}}}', assistant: '{{{{ a }}}}'}}\n",
        encoding="utf-8",
    )
    with pytest.raises(SystemExit) as end:
        main(["data", "toy.yaml", *words])
    said = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, said.out + said.err


@pytest.mark.parametrize(
    ("data", "rows", "row", "reason", "place"),
    [
        (
            "  sources: [{path: rows.csv, where: \"kind == 'x'\"}]",
            ROWS,
            2,
            "`where` is not true for it",
            "toy.yaml:4:",
        ),
        (
            "  sources:\n    - path: rows.csv\n      limit: 3",
            ROWS,
            9,
            "the `limit` of the source",
            "toy.yaml:6:",
        ),
        ("  sources: [{path: rows.csv, limit: 3}]", ROWS, 5, "the `limit` of the source", "toy.yaml:4:"),
        (
            "  sources: [{path: rows.csv, sample: {size: 1, seed: 3}}]",
            ROWS,
            None,
            "the `sample` of the source",
            "toy.yaml:4:",
        ),
        (
            "  sources: [{path: rows.csv, sample: {size: 0.2, seed: 3}}]",
            ROWS,
            None,
            "the `sample` of the source",
            "toy.yaml:4:",
        ),
        (
            "  sources: [{path: rows.csv, weight: 0.3}]",
            ROWS,
            None,
            "`weight: 0.3` of the source leaves it out",
            "toy.yaml:4:",
        ),
        (
            "  sources: [{path: rows.csv}]",
            [*ROWS, ROWS[4]],
            14,
            "the same example as rows.csv:6, which is used",
            "toy.yaml",
        ),
        (
            "  dedupe: exact\n  sources: [{path: rows.csv}]",
            [*ROWS, ROWS[0], ROWS[0]],
            15,
            "the same example as rows.csv:2,",
            "toy.yaml:4:",
        ),
        (
            "  dedupe: near\n  sources: [{path: rows.csv}]",
            [*ROWS, NEAR.format("。"), NEAR.format("ませ。")],
            15,
            "it nearly repeats rows.csv:14",
            "toy.yaml:4:",
        ),
        ("  sources: [{path: rows.csv}]", ROWS, 1, "no row starts at that line", "rows.csv:2"),
        ("  sources: [{path: rows.csv}]", ROWS, 99, "no row starts at that line", "rows.csv:13"),
        (
            "  sources: [{path: rows.csv}]",
            ['"a\nb\nc",d,x', *ROWS],
            3,
            "no row starts at that line",
            "--row rows.csv:2",
        ),
    ],
)
def test_the_rule_is_named_with_its_place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data: str,
    rows: list[str],
    row: int | None,
    reason: str,
    place: str,
) -> None:
    """Exit code 2 with the one rule that left the row out; None: any row that has no example."""
    monkeypatch.chdir(tmp_path)
    asked = [row] if row is not None else list(range(2, len(rows) + 2))
    left_out = 0
    for line in asked:
        code, said = _call(tmp_path, capsys, data, rows, "--row", f"rows.csv:{line}")
        if code:
            left_out += 1
            assert code == 2 and reason in said and place in said, said
            assert f"no example came from rows.csv:{line}" in said
    assert left_out if row is None else left_out == 1


def test_another_split_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row that was held out is not lost: the split that has it is named."""
    monkeypatch.chdir(tmp_path)
    data = "  sources: [{path: rows.csv}]\n  split: {validation: 3, seed: 1}"
    code, said = _call(tmp_path, capsys, data, ROWS, "--split", "validation", "--show", "1")
    assert code == 0
    line = said.splitlines()[0].split(" · ")[1].rpartition(":")[2].split()[0]
    code, said = _call(tmp_path, capsys, data, ROWS, "--split", "train", "--row", f"rows.csv:{line}")
    assert code == 2 and "it is in validation" in said


def test_a_row_of_a_conversation_leads_to_its_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where rows become conversations, the example is at the first row; the tip leads there."""
    monkeypatch.chdir(tmp_path)
    turns = [f"{who},{text}{n},{n}" for n in range(12) for who, text in (("user", "問"), ("assistant", "答"))]
    tmp_path.joinpath("rows.csv").write_text("role,content,thread\n" + "\n".join(turns) + "\n,x,\n", "utf-8")
    tmp_path.joinpath("toy.yaml").write_text(
        "version: 1\nname: toy\ndata:\n  sources: [{path: rows.csv, group_by: thread}]\n", "utf-8"
    )
    with pytest.raises(SystemExit):
        main(["data", "toy.yaml", "--row", "rows.csv:5"])
    said = capsys.readouterr().err
    assert "part of a conversation of several rows" in said and "--row rows.csv:4" in said, said
    with pytest.raises(SystemExit) as end:
        main(["data", "toy.yaml", "--row", "rows.csv:4"])
    assert end.value.code == 0


def test_an_unknown_file_is_answered_with_those_that_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that no source reads can't have an example."""
    monkeypatch.chdir(tmp_path)
    code, said = _call(tmp_path, capsys, "  sources: [{path: rows.csv}]", ROWS, "--row", "other.csv:3")
    assert code == 2 and "no source reads that file" in said and "Files: rows.csv." in said
