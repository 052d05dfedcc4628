"""Data in a language that the local model was not made for: a note that names a model that was."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from conftest import Ftrun

CASES = Path(__file__).parent
CONFIG = """\
version: 1
name: toy
targets:
  local: {{provider: local, model: smollm2-135m-instruct}}
  dry: {{provider: local, model: rehearsal}}
target: local
data: {{sources: [{{path: {file}}}]}}
prompt: {{user: "{{{{ row.values() | first }}}}", assistant: "{{{{ row.values() | last }}}}"}}
"""
ENGLISH = "".join(
    f"Where is desk {number}?,It is on floor {number} and opens at nine.\n" for number in range(12)
)
CODE = "".join(f"SELECT {number} FROM t;,{{'a': {number}}}\n" for number in range(12))


@pytest.fixture
def ftrun(tmp_path: Path) -> Ftrun:
    """Return the command line, run in an empty folder."""
    return Ftrun(tmp_path)


def config(ftrun: Ftrun, file: str) -> str:
    """Write an experiment on the file and return its name."""
    (ftrun.folder / "toy.yaml").write_text(CONFIG.format(file=file), encoding="utf-8")
    return "toy.yaml"


def test_the_note_names_a_model_that_knows_the_language(ftrun: Ftrun) -> None:
    """check and plan have it; its entry and its command work; the note is gone with that model, and a
    rehearsal is never recommended.
    """
    shutil.copy(CASES / "32-language-note/enc-es-utf-8.csv", ftrun.folder)
    config(ftrun, "enc-es-utf-8.csv")
    note = ftrun.json("check", "toy.yaml")["language"]["note"]
    assert "knows almost no Spanish" in note and "gemma-3-270m" in note
    assert note in ftrun("plan", "toy.yaml").stdout
    assert "dry" not in note and "rehearsal" not in note
    experiment = yaml.safe_load((ftrun.folder / "toy.yaml").read_text(encoding="utf-8"))
    entry = re.search(r"`(\S+: \{provider: local[^`]+\})` to `targets`", note)
    assert entry
    experiment["targets"].update(yaml.safe_load(entry[1]))
    (ftrun.folder / "toy.yaml").write_text(yaml.safe_dump(experiment), encoding="utf-8")
    cache = {"FTRUN_CACHE": str(ftrun.folder / "cache"), "PIP_NO_INDEX": "1"}
    again = ftrun.json("check", "toy.yaml", env=cache)["language"]["note"]
    assert "Use `--target local-multilingual`" in again and "--target dry" not in again
    accept = re.search(r"`ftrun (models --accept \S+)`", again)
    assert accept and ftrun(*accept[1].split(), "--yes", env=cache).returncode == 0
    better = ftrun.json("check", "toy.yaml", "--target", "local-multilingual", env=cache)
    assert better["language"]["note"] is None
    assert ftrun.json("check", "toy.yaml", "--target", "dry")["language"]["note"] is None


@pytest.mark.parametrize(
    ("file", "name"),
    [("enc-he-utf-8.csv", "Hebrew"), ("enc-ko-utf-8-sig.csv", "Korean"), ("english", None), ("code", None)],
)
def test_what_the_model_does_not_know_gets_a_note(ftrun: Ftrun, file: str, name: str | None) -> None:
    """English data, and data in no language, are not remarked on."""
    if name is None:
        rows = ENGLISH if file == "english" else CODE
        (ftrun.folder / "toy.csv").write_text("q,a\n" + rows, encoding="utf-8")
    else:
        shutil.copy(CASES / "32-language-note" / file, ftrun.folder / "toy.csv")
    said = ftrun("check", config(ftrun, "toy.csv")).stdout
    assert ("knows almost no" in said) == (name is not None)
    assert name is None or f"knows almost no {name}" in said


def test_a_run_and_its_report_have_the_note(ftrun: Ftrun) -> None:
    """The run says it before it trains."""
    shutil.copy(CASES / "32-language-note/enc-es-utf-8.csv", ftrun.folder)
    run = ftrun("run", config(ftrun, "enc-es-utf-8.csv"), "--until", "check")
    assert run.returncode == 0 and "knows almost no Spanish" in run.stderr + run.stdout


def test_a_message_is_counted_as_the_row_counts(ftrun: Ftrun) -> None:
    """The system prompt that is put in front of a ready chat does not shift the index of its messages."""
    shutil.copy(CASES / "30-message-index/mail.jsonl", ftrun.folder)
    text = (
        "version: 1\nname: mail\ndata: {sources: [{path: mail.jsonl}]}\nprompt: {system: You are a desk.}\n"
    )
    (ftrun.folder / "mail.yaml").write_text(text, encoding="utf-8")
    found = ftrun.json("check", "mail.yaml")
    (finding,) = (one for one in found["warnings"] if one["code"] == "pii_email")
    assert finding["message"].startswith("messages[1].content:")
    (ftrun.folder / "mail.yaml").write_text(text.replace("a desk", "desk a@pool-nord.net"), encoding="utf-8")
    found = ftrun.json("check", "mail.yaml")
    (finding,) = (one for one in found["warnings"] if one["code"] == "pii_email")
    assert finding["message"].startswith("prompt.system:")
