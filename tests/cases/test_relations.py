"""Data of real reports that compare rows with one another: what is found, and at every place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import Ftrun

CASES = Path(__file__).parent
CONFIG = """\
version: 1
name: case
targets:
  paid: {provider: openai, model: gpt-4.1-mini-2025-04-14}
data: {sources: [{path: データ/rows 1.jsonl}]}
"""


@pytest.mark.parametrize(
    ("case", "code", "lines"),
    [
        ("03-vqa-other-image/vqa.jsonl", "contradiction", None),
        ("18-chinese-with-latin-names/zh_latin.jsonl", "language_mix", None),
        ("19-other-scripts/el_mix.jsonl", "language_mix", [21, 22]),
        ("19-other-scripts/he_mix.jsonl", "language_mix", [21, 22]),
        ("19-other-scripts/hi_mix.jsonl", "language_mix", [21, 22]),
        ("25-prices/prices.jsonl", "unsupported", None),
    ],
)
def test_a_case_is_told_at_its_places_or_not_at_all(
    tmp_path: Path, case: str, code: str, lines: list[int] | None
) -> None:
    """Other images, names of products, other scripts and predicted numbers are taken for what they are."""
    folder = tmp_path / "わたしの データ"
    (folder / "データ").mkdir(parents=True)
    (folder / "データ/rows 1.jsonl").write_bytes((CASES / case).read_bytes())
    (folder / "case.yaml").write_text(CONFIG, encoding="utf-8")
    done = Ftrun(folder)("check", "case.yaml", "--json")
    document = json.loads(done.stdout)
    told = {one["code"]: one for part in ("errors", "warnings", "notes") for one in document[part]}
    assert done.returncode == 0, done.stderr
    if lines is None:
        assert code not in told
        assert "near_duplicates" not in told
        return
    assert told[code]["places"] == [{"file": "データ/rows 1.jsonl", "line": line} for line in lines]
    assert (told[code]["file"], told[code]["line"]) == ("データ/rows 1.jsonl", lines[0])
