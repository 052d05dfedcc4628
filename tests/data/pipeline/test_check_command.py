"""`ftrun check` on files as people have them, in a process of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from conftest import Ftrun

CONFIG = """\
version: 1
name: toy
data:
  sources:
    - path: rows.csv
prompt: {user: "{{ 質問 }}", assistant: "{{ 回答 }}"}
"""


def ftrun(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ftrun in `folder`."""
    return Ftrun(folder)(*words)


def test_command_from_cp932_to_a_clean_file(tmp_path: Path) -> None:
    """Following the messages leads from a cp932 file with flaws to exit 0; nothing is left in the project."""
    rows = "".join(f"質問{n}は何ですか,答え{n}です\n" for n in range(12))
    (tmp_path / "toy.yaml").write_text(CONFIG, "utf-8")
    (tmp_path / "rows.csv").write_bytes(("質問,回答\n" + rows + "空,\n").encode("cp932"))
    first = ftrun(tmp_path, "check", "toy.yaml")
    assert first.returncode == 2
    assert "note: rows.csv:1: read as cp932" in first.stdout
    second = ftrun(tmp_path, "check", "toy.yaml", "--json")
    document = json.loads(second.stdout)
    assert second.returncode == 2
    assert [(one["code"], one["file"], one["line"]) for one in document["errors"]] == [
        ("empty_content", "rows.csv", 14)
    ]
    assert document["error"]["code"] == "empty_content"
    assert [one["code"] for one in document["notes"]] == ["encoding_found"]
    assert document["files"]["train"]["examples"] == 12
    (tmp_path / "rows.csv").write_bytes(("質問,回答\n" + rows).encode("cp932"))
    third = ftrun(tmp_path, "check", "toy.yaml", "--set", "data.sources.0.encoding=cp932")
    assert third.returncode == 0, third.stdout + third.stderr
    assert "12 examples" in third.stdout
    assert "few_examples" in third.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "toy.yaml"]


def test_command_where_no_target_is_named(tmp_path: Path) -> None:
    """Several targets and none named: the data are checked, and a note says how to price them."""
    targets = "targets:\n  a: {provider: local, model: rehearsal}\n"
    targets += "  b: {provider: openai, model: gpt-4.1-mini-2025-04-14}\n"
    (tmp_path / "toy.yaml").write_text(CONFIG + targets, "utf-8")
    (tmp_path / "rows.csv").write_text("質問,回答\n" + "".join(f"質問{n},答え\n" for n in range(60)), "utf-8")
    plain = ftrun(tmp_path, "check", "toy.yaml")
    assert plain.returncode == 0, plain.stdout + plain.stderr
    assert "--target" in plain.stdout
    priced = json.loads(ftrun(tmp_path, "check", "toy.yaml", "--target", "b", "--json").stdout)
    assert priced["estimate"]["exact"] is True
    assert 0 < priced["estimate"]["usd"] < 1


def test_command_shows_escapes_of_data(tmp_path: Path) -> None:
    """Control characters in a file's column names reach the terminal as escapes."""
    (tmp_path / "toy.yaml").write_text(CONFIG, "utf-8")
    (tmp_path / "rows.csv").write_text("\x1b[31mred,回答\n1,2\n", "utf-8")
    done = ftrun(tmp_path, "check", "toy.yaml")
    assert done.returncode == 2
    assert "\x1b" not in done.stdout + done.stderr
