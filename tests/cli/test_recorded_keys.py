"""A key in recorded answers is hidden wherever they go, though nobody is asked and no key is sent."""

from __future__ import annotations

import json

import pytest

from support.paid_project import Paid

SECRET = "rk-0123456789-of-another-target"
CONFIG = """\
version: 1
name: old
target: paid
targets:
  paid: {provider: openai, model: m, base_url: 'http://127.0.0.1:1/v1', api_key_env: SOME_KEY}
  other: {provider: openai, model: m, base_url: 'http://127.0.0.1:1/v1', api_key_env: RECORDED_KEY}
eval:
  models: [{name: rec, answers: rec.jsonl}]
  prompts: [{id: one, user: 一番は？, expect: {contains: はい}}]
"""


def test_no_file_or_output_has_the_key(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the page, the Markdown, the answers, JUnit, JSON nor the terminal shows it."""
    monkeypatch.setenv("RECORDED_KEY", SECRET)
    recorded = {"prompt_id": "one", "answer": f"いいえ {SECRET}"}
    (paid.folder / "rec.jsonl").write_text(json.dumps(recorded) + "\n", encoding="utf-8")
    (paid.folder / "old.yaml").write_text(CONFIG, encoding="utf-8")
    shown = paid.run("run", "old.yaml") + paid.error
    for words in (("eval", "--junit", "junit.xml"), ("report", "--json"), ("report", "--markdown")):
        shown += paid.run(words[0], "old.yaml", *words[1:]) + paid.error
    assert "key hidden" in shown and SECRET not in shown
    files = [one for one in (paid.folder / "runs").rglob("*") if one.is_file()]
    written = {one.name: one.read_text(encoding="utf-8") for one in (*files, paid.folder / "junit.xml")}
    assert {"report.html", "report.md", "answers.jsonl", "junit.xml"} <= written.keys()
    assert [name for name, text in written.items() if SECRET in text] == []
