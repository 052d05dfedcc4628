"""The number format of the engine as commands tell it: `ftrun doctor`, and a run with an unknown one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun
from ftrun.engine.models.matrix_products import Measurement
from ftrun.engine.models.number_format import measurement


def number_format(ftrun: Ftrun) -> dict[str, Any]:
    """Return what `ftrun doctor` finds about the number format; the rest may be good or bad here."""
    found = json.loads(ftrun("doctor", "--json").stdout)["findings"]
    [finding] = [one for one in found if one["name"] == "format"]
    return dict(finding)


def test_the_number_format_and_both_speeds_are_shown(
    ftrun: Ftrun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a model was loaded nothing was measured; then format and speeds are there, or the setting."""
    monkeypatch.setenv("FTRUN_CACHE", str(tmp_path / "cache"))
    assert "not measured yet" in number_format(ftrun)["message"]
    assert not (tmp_path / "cache").exists()
    measurement(lambda: Measurement(float32=151.2, bfloat16=604.8, error=0.01))
    said = number_format(ftrun)["message"]
    assert ": bfloat16;" in said and "float32 151 GFLOP/s, bfloat16 605 GFLOP/s" in said
    monkeypatch.setenv("FTRUN_DTYPE", "float32")
    assert "float32, as FTRUN_DTYPE says" in number_format(ftrun)["message"]


def test_an_unknown_number_format_is_a_finding(ftrun: Ftrun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt FTRUN_DTYPE is bad, and the tip has the values."""
    monkeypatch.setenv("FTRUN_DTYPE", "half")
    finding = number_format(ftrun)
    assert not finding["ok"] and "'half'" in finding["message"] and "bfloat16" in finding["hint"]


def test_a_run_with_an_unknown_number_format_does_nothing(
    ftrun: Ftrun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2 with the value and the known ones, before any file is prepared or an engine started."""
    monkeypatch.setenv("FTRUN_DTYPE", "float64")
    error = ftrun.json("run", "configs/toy.yaml", code=2)["error"]
    assert error["code"] == "unknown_dtype" and "'float64'" in error["message"]
    assert "auto, float32, bfloat16" in error["hint"]
    assert not list(ftrun.folder.rglob("train.jsonl"))
    assert not Path(os.environ["FTRUN_HOME"]).exists()
