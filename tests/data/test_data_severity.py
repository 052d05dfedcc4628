"""What the experiment says of findings: how bad they are, what is masked, and how many places are named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.data.pipeline.checking import severities
from ftrun.data.pipeline.samples import samples
from ftrun.errors import ConfigError, Problem

from .conftest import chat

KEY = "sk-" + "a1B2c3D4e5F6g7H8i9J0"


def problems(found: tuple[Problem, ...]) -> dict[str, Problem]:
    """Return the problems by code; each code is reported once."""
    assert len({one.code for one in found}) == len(found)
    return {one.code: one for one in found}


def test_like_flaws_are_told_once(make: Any, chats: Any) -> None:
    """One message names the first places and counts the rest."""
    flawed = "".join(chat(f"質問その{number}", "TODO: 書く ") for number in range(200, 210))
    experiment = make({"a.jsonl": chats(range(60)) + flawed})
    found = problems(data.examine(experiment).warnings)
    placeholder = found["placeholder"]
    assert (Path(str(placeholder.file)).name, placeholder.line) == ("a.jsonl", 61)
    assert placeholder.message == (
        "messages[1].content: a placeholder was left: “TODO: 書く”; also at line 62, 63, 64, 65"
        " and in 5 more rows"
    )
    assert "outer_space" in found


def test_flaws_without_number_stay_few(make: Any) -> None:
    """Thousands of similar flaws give one message with the right number."""
    rows = "".join(chat(f"question {number}", f"answer {number}\n") for number in range(2500))
    (warning,) = data.examine(make({"a.jsonl": rows})).warnings
    assert warning.code == "outer_space"
    assert "2495 more rows" in warning.message


def test_checks_say_how_bad(make: Any, chats: Any) -> None:
    """off, warning and error decide; the numbers of the file stay."""
    experiment = make({"a.jsonl": chats(range(20)) + chat("質問", "TODO: 書く ")})
    data_of = experiment.data
    severe = replace(experiment, data=replace(data_of, checks={"placeholder": "error", "outer_space": "off"}))
    result = data.examine(severe)
    assert set(problems(result.errors)) == {"placeholder"}
    assert set(problems(result.warnings)) == {"few_examples"}
    raised = replace(experiment, data=replace(data_of, checks={"few_examples": "error"}))
    assert "few_examples" in problems(data.examine(raised).errors)


@pytest.mark.parametrize(
    ("code", "hint"),
    [("placehodler", "placeholder"), ("pii_email", "data.pii"), ("json_syntax", "Fix the JSON")],
)
def test_wrong_codes_are_refused_with_the_way_out(make: Any, code: str, hint: str) -> None:
    """Unknown codes, codes of personal data, and what makes a row unusable can't be set."""
    experiment = make({})
    experiment = replace(experiment, data=replace(experiment.data, checks={code: "off"}))
    with pytest.raises(ConfigError) as error:
        severities(experiment)
    assert hint in str(error.value.problem.hint)
    with pytest.raises(ConfigError):
        data.severity_inputs(experiment)


def test_secrets_block_and_are_never_shown(make: Any, chats: Any, tmp_path: Path) -> None:
    """A key is an error with its place; neither messages nor files but the data's own hold it."""
    experiment = make({"a.jsonl": chats(range(20)) + chat("鍵は？", f"{KEY}です")})
    result = data.examine(experiment)
    error = problems(result.errors)["pii_secret"]
    assert error.line == 21
    assert KEY not in json.dumps(result.as_dict())
    folder = tmp_path / "out"
    data.prepare(experiment, folder)
    assert problems(data.check(experiment, folder).errors)["pii_secret"].line == 21
    assert KEY not in (folder / "tally.json").read_text("utf-8")
    assert KEY not in (folder / "sources.jsonl").read_text("utf-8")
    shown = [sample.shown for sample in samples(folder, tmp_path, "train")]
    assert "[SECRET]です" in json.dumps(shown, ensure_ascii=False)
    assert KEY not in json.dumps(shown)


def test_masks_stand_in_the_prepared_files(make: Any, chats: Any, tmp_path: Path) -> None:
    """Tokens replace what is masked, a note counts them, rows that become equal are dropped."""
    rows = chat("電話は？", "090-1234-5678です") + chat("電話は？", "090-8765-4321です") + chat("鍵は？", KEY)
    experiment = make({"a.jsonl": chats(range(60)) + rows})
    masked = replace(experiment, data=replace(experiment.data, pii="mask"))
    folder = tmp_path / "out"
    prepared = data.prepare(masked, folder)
    text = (folder / "train.jsonl").read_text("utf-8")
    assert "[PHONE]です" in text
    assert "[SECRET]" in text
    assert KEY not in text
    assert "090-" not in text
    assert prepared.duplicates == 1
    result = data.check(masked, folder)
    assert result.errors == ()
    assert [note.message for note in result.notes] == [
        "replaced: 2 phone numbers by [PHONE], 1 secret by [SECRET]",
    ]


def test_only_a_mask_changes_the_prepared_files(make: Any, chats: Any) -> None:
    """Masks are inputs of preparing; severities and other actions are not."""
    experiment = make({"a.jsonl": chats(range(20))})
    plain = data.prepare_inputs(experiment)

    def inputs(**given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        changed = replace(experiment, data=replace(experiment.data, **given))
        return data.prepare_inputs(changed), data.severity_inputs(changed)

    assert inputs(checks={"outer_space": "off"}) == (plain, {"checks": {"outer_space": "off"}})
    assert inputs(pii="warn") == (plain, {"pii": "warn"})
    masked = inputs(pii={"email": "mask"})[0]
    assert masked.pop("mask version") >= 2
    assert masked == {**plain, "masked": ["email"]}
    assert data.severity_inputs(experiment) == {}
