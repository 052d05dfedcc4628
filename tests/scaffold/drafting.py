"""Owns running `ftrun init` in this process, and data files of several shapes for it."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pytest
from pyarrow import parquet

from ftrun.cli import main
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Experiment

JAPANESE = [(f"質問その{number}ですか？", f"答えは{number}ですにゃ。") for number in range(30)]
ENGLISH = [(f"What is {number}?", f"It is the number {number}.") for number in range(30)]
Pairs = Sequence[tuple[str, str]]


def init(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    """Run `ftrun init … --json`, check the exit code and return the document."""
    with pytest.raises(SystemExit) as exit_:
        main(["init", *words, "--json"])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert exit_.value.code == code, document
    return document


def load(path: str) -> Experiment:
    """Return the experiment file, validated as a run validates it."""
    return build_experiment(read_document(Path(path)))


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], mark: str = ",") -> Path:
    """Write a table whose values need no quotes."""
    lines = [mark.join(header), *(mark.join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_chats(path: Path, pairs: Pairs, *, system: str | None) -> None:
    """Write chat rows of two messages, or three with a system message."""
    head = [{"role": "system", "content": system}] if system else []
    rows = [
        {"messages": [*head, {"role": "user", "content": ask}, {"role": "assistant", "content": answer}]}
        for ask, answer in pairs
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_table(path: Path, kind: str) -> list[str]:
    """Write JAPANESE in a format of columns and return the words that `ftrun init` needs for it."""
    if kind == "xlsx":
        book = openpyxl.Workbook()
        book.worksheets[0].append(["other"])
        sheet = book.create_sheet("FAQ")
        for row in [("質問", "回答"), *JAPANESE]:
            sheet.append(row)
        book.save(path)
        return ["--sheet", "FAQ"]
    if kind == "parquet":
        names = ("質問", "回答")
        parquet.write_table(
            pyarrow.table(dict(zip(names, map(list, zip(*JAPANESE, strict=True)), strict=True))), path
        )
    elif kind == "sqlite":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE faq (質問, 回答)")
            connection.executemany("INSERT INTO faq VALUES (?, ?)", JAPANESE)
        connection.close()
        return ["--query", "SELECT 質問, 回答 FROM faq ORDER BY rowid"]
    else:
        text = "質問,回答\n" + "".join(f"{ask},{answer}\n" for ask, answer in JAPANESE)
        path.write_bytes(gzip.compress(text.encode("cp932")))
    return []
