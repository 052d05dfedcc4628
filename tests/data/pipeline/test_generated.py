"""Generated rows: trained on or left out, never held out, and their mark never in a training file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data.conftest import MakeExperiment, chat
from ftrun.data import examine, prepare
from ftrun.data.types import MARK, Mark, marked, row_digest, take_mark
from ftrun.errors import DataError
from ftrun.experiment.model import Experiment, Prompt, Source, Split

ROWS = [{"q": f"質問{number}", "a": f"答え{number}"} for number in range(40)]


def lines(rows: list[dict[str, Any]]) -> str:
    """Return rows as a JSONL file."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def reworded(rows: list[dict[str, Any]]) -> str:
    """Return a file with a paraphrase of each row."""
    return lines([marked({**row, "q": row["q"] + "とは？"}, Mark(row["q"], row_digest(row))) for row in rows])


def parts(experiment: Experiment, folder: Path) -> dict[str, list[str]]:
    """Return the questions in each prepared file."""
    prepare(experiment, folder)
    return {
        role: [json.loads(line)["messages"][0]["content"] for line in path.read_text().splitlines()]
        for role in ("train", "validation", "test")
        if (path := folder / f"{role}.jsonl").exists()
    }


def test_a_paraphrase_goes_where_its_row_goes_or_nowhere(
    make: MakeExperiment, columns: Prompt, tmp_path: Path
) -> None:
    """Those of training rows are trained on; those of held-out rows are left out, with a warning."""
    files = {"rows.jsonl": lines(ROWS), "rows.augmented.jsonl": reworded(ROWS)}
    for seed in range(5):
        split = Split(validation=0.2, test=5, seed=seed)
        found = parts(make(files, prompt=columns, split=split), tmp_path / "out")
        assert (len(found["validation"]), len(found["test"])) == (8, 5)
        assert not any("とは" in question for role in ("validation", "test") for question in found[role])
        trained = [question for question in found["train"] if "とは" not in question]
        assert sorted(found["train"]) == sorted(trained + [f"{question}とは？" for question in trained])
    [warning] = [
        one for one in examine(make(files, prompt=columns, split=split)).warnings if one.code[0] == "g"
    ]
    assert warning.code == "generated_left_out"
    assert "13 generated rows are left out: 13 reword rows that are held out now" in warning.message


def test_the_split_of_the_rows_is_the_same_with_and_without_generated_ones(
    make: MakeExperiment, columns: Prompt, tmp_path: Path
) -> None:
    """Approving rows moves none of the others."""
    split = Split(validation=0.25)
    without = parts(make({"rows.jsonl": lines(ROWS)}, prompt=columns, split=split), tmp_path / "out")
    files = {"rows.jsonl": lines(ROWS), "more.jsonl": reworded(ROWS)}
    assert (
        parts(make(files, prompt=columns, split=split), tmp_path / "out")["validation"]
        == without["validation"]
    )


def test_a_paraphrase_of_a_changed_row_is_left_out(
    make: MakeExperiment, columns: Prompt, tmp_path: Path
) -> None:
    """A corrected answer must not be contradicted by what was made from the wrong one."""
    now = [{**ROWS[0], "a": "直した答え"}, *ROWS[1:]]
    files = {"rows.jsonl": lines(now), "more.jsonl": reworded(ROWS)}
    experiment = make(files, prompt=columns)
    found = parts(experiment, tmp_path / "out")
    assert len(found["train"]) == 79
    assert "質問0とは？" not in found["train"]
    assert any("1 generated row is left out: 1 reword rows that were changed" in one.message
               for one in examine(experiment).warnings)  # fmt: skip


def test_a_row_made_from_no_row_is_trained_on(make: MakeExperiment, columns: Prompt, tmp_path: Path) -> None:
    """New cases and mended failures have no seed that could be held out."""
    new = lines([marked({"q": "新しい", "a": "はい"}, Mark("n", None))])
    files = {"rows.jsonl": lines(ROWS), "more.jsonl": new}
    split = Split(test=39, group_by=("q",))
    assert parts(make(files, prompt=columns, split=split), tmp_path / "out")["train"][-1] == "新しい"


def test_the_mark_is_in_no_training_file_and_no_warning(make: MakeExperiment, tmp_path: Path) -> None:
    """In ready chats it is neither an unknown key nor written."""
    row = json.loads(chat("元", "答え"))
    files = {
        "chats.jsonl": chat("元", "答え"),
        "more.jsonl": lines([marked(row, Mark("x", row_digest(row)))]),
    }
    experiment = make(files)
    prepare(experiment, tmp_path / "out")
    assert MARK not in (tmp_path / "out/train.jsonl").read_text()
    assert not [one for one in examine(experiment).warnings if one.code == "ignored_key"]


def test_a_mark_that_cannot_be_read_keeps_its_row_out(
    make: MakeExperiment, columns: Prompt, tmp_path: Path
) -> None:
    """A mark that a spreadsheet turned into text may hide a held-out row."""
    files = {"rows.jsonl": lines(ROWS), "more.csv": f"q,a,{MARK}\n質問,答え,broken\n"}
    assert len(parts(make(files, prompt=columns), tmp_path / "out")["train"]) == 40
    assert take_mark({"q": 1}) == ({"q": 1}, None)


def test_a_generated_row_in_a_held_out_file_is_an_error(
    make: MakeExperiment, columns: Prompt, tmp_path: Path
) -> None:
    """It is never a test, whatever the experiment says."""
    files = {"rows.jsonl": lines(ROWS), "more.jsonl": reworded(ROWS)}
    own = Source(path="more.jsonl", base=tmp_path, key=("data", "split", "test", 0))
    experiment = make(files, paths=["rows.jsonl"], prompt=columns, split=Split(test=(own,)))
    with pytest.raises(DataError) as caught:
        prepare(experiment, tmp_path / "out")
    assert caught.value.code == "generated_held_out"
