"""Where a finding is: `places` of `check --json` has all of them, beside the first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ftrun import data
from ftrun.data.diagnostics.findings import MOST_PROBLEMS, Findings


def places(result: data.CheckResult, code: str) -> list[list[tuple[str, int]]]:
    """Return the places of each finding with a code, by the names of the files."""
    document = result.as_dict()
    found = [one for part in ("errors", "warnings", "notes") for one in document[part] if one["code"] == code]
    return [[(Path(place["file"]).name, place["line"]) for place in one["places"]] for one in found]


def test_a_finding_about_many_rows_has_all_places(make: Any, chats: Any, tmp_path: Path) -> None:
    """Texts of two files, repeats and the language of answers: read, kept and counted anew give the same."""
    spaced = chats(range(100, 108)).replace("答え", " 答え")
    files = {
        "a.jsonl": chats(range(60)) + spaced + chats([3, 4, 5]),
        "b.jsonl": spaced.replace("質問", "問い"),
    }
    experiment = make(files)
    result = data.examine(experiment)
    assert places(result, "outer_space") == [
        [*(("a.jsonl", line) for line in range(61, 69)), *(("b.jsonl", line) for line in range(1, 9))]
    ]
    assert places(result, "duplicates") == [[("a.jsonl", 69), ("a.jsonl", 70), ("a.jsonl", 71)]]
    data.prepare(experiment, tmp_path / "out")
    kept = data.check(experiment, tmp_path / "out").as_dict()
    (tmp_path / "out/tally.json").unlink()
    assert kept == data.check(experiment, tmp_path / "out").as_dict() == result.as_dict()


def test_rows_beyond_those_that_are_kept_have_their_places_too(make: Any, chats: Any) -> None:
    """Of a flaw in thousands of rows each row is named, not only as many as messages are kept for."""
    rows = MOST_PROBLEMS + 700
    ((found,), *_) = (
        places(data.examine(make({"a.jsonl": chats(range(rows)).replace("答え", " 答え")})), code)
        for code in ("outer_space",)
    )
    assert found == [("a.jsonl", line) for line in range(1, rows + 1)]


def test_problems_that_are_merged_keep_the_places_of_all(make: Any) -> None:
    """Errors that are said once, in so many rows, name every row; so do those beyond the bound."""
    good = json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
    bad = json.dumps({"messages": [{"role": "user", "content": "a"}]})
    result = data.examine(make({"a.jsonl": "".join(f"{row}\n" for row in (bad, good, bad, bad))}))
    lines = sorted(line for some in places(result, result.errors[0].code) for _, line in some)
    assert lines == [1, 3, 4]
    findings = Findings()
    for line in range(1, MOST_PROBLEMS + 6):
        findings.add("value", f"wrong: {line}", file="a.csv", line=line)
    *_, rest = findings.errors
    assert rest.message == "and 5 more problems of this kind"
    assert [line for _, line in rest.places] == list(range(MOST_PROBLEMS + 1, MOST_PROBLEMS + 6))
